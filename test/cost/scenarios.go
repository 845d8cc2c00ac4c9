package cost

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/finder"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

const (
	// commentWords is how long a comment is: some 400 characters.
	commentWords = 80
	// averaged is how many batches of the index a figure is the mean of: from one that is
	// joined with its base to the next. Some changes write a part of a manifest anew.
	averaged = surgical.MaxIndexBatches
	// together is how many changes a batch has, and changed how many issues change in
	// turn, so that none grows much.
	together, changed = 2, 40
	// states are those that the naive execution enters: Docs, Documents regenerated?, Embed,
	// Embedded?, Finish and Closed.
	states = 6
)

func comment(n int) string {
	text := fmt.Sprintf("Comment %d:", n)
	for i := range commentWords {
		text += fmt.Sprintf(" w%03d", (7*n+31*i)%1000)
	}
	return text
}

// Idle is an hour of a stack with one project, which has a hook, in which nothing happens.
// Censuses are left out.
func Idle(t cloud.TB) Counted {
	w := newWorld(t)
	w.Functions.Crawler.Listed, w.Functions.Crawler.Census = []int64{fakegitlab.ProjectID}, 0
	w.discussed(issue(), 0)
	minutes := func(n int) {
		for range n {
			w.minute()
		}
	}
	w.hooked()
	minutes(90) // the first reconciles find what there is, and the first check the hook
	w.take()
	minutes(60)
	return w.take()
}

// hooked gives the project a hook that works.
func (w *world) hooked() {
	const settings = `{"url":"https://lore.example.com/webhooks/gitlab","token":"sample-token","issues_events":true,"confidential_issues_events":true,"merge_requests_events":true,"note_events":true,"confidential_note_events":true}`
	request := httptest.NewRequest(http.MethodPost, fmt.Sprintf("/api/v4/projects/%d/hooks", fakegitlab.ProjectID), strings.NewReader(settings))
	request.Header.Set("PRIVATE-TOKEN", cloud.Token)
	answer := httptest.NewRecorder()
	w.GitLab.ServeHTTP(answer, request)
	var hook struct{ ID int64 }
	w.must(json.Unmarshal(answer.Body.Bytes(), &hook))
	body := w.sample(issue())
	w.GitLab.AddHookEvents(fakegitlab.ProjectID, hook.ID, fakegitlab.HookEvent{Trigger: "note_events", ResponseStatus: "202", RequestData: json.RawMessage(body)})
}

// minute starts what the schedule starts, and does the work that it finds.
func (w *world) minute() {
	w.must(w.invoke("sweeper", func(ctx context.Context) error {
		_, err := w.Sweeper.Handle(ctx)
		return err
	}))
	w.must(w.invoke("crawler", func(ctx context.Context) error {
		_, err := w.Functions.Crawler.Handle(ctx)
		return err
	}))
	if len(w.Bulk.Messages()) > 0 {
		w.work()
	}
	w.minutes++
	w.follow()
	if w.minutes%int(surgical.IndexInterval/time.Minute) == 0 {
		w.look()
	}
	w.Clock.Advance(time.Minute)
}

// Change is one new comment on an issue with this many comments, each of them a
// discussion, from the webhook to the search index: a mean. Every change has a run of its
// own. A batch of the stream has two changes, as it does if a million are spread evenly
// over a month: a batch collects for 5 s.
func Change(t cloud.TB, discussions int) Counted {
	w := newWorld(t)
	for i := range int64(changed) {
		w.discussed(fakegitlab.IssueRef(1000+i), discussions)
	}
	w.take()
	w.db.CountKeys()
	for i := range int64(averaged) {
		for n := range int64(together) {
			w.change(fakegitlab.IssueRef(1000 + (together*i+n)%changed))
		}
		w.follow()
	}
	all := w.take()
	all.Hottest = w.db.Hottest()
	return all.times(1.0 / averaged / together)
}

// Covered is one event about an issue of which a fetch has begun since, by then the one
// before it in the queue. A batch of such events shares an invocation, as it does when
// many wait.
func Covered(t cloud.TB) Counted {
	w := newWorld(t)
	w.discussed(issue(), notes)
	w.Clock.Advance(time.Minute)
	w.GitLab.AddDiscussion(issue(), fakegitlab.Note{Body: comment(1)})
	body := w.sample(issue())
	w.deliver(body)
	first := w.Sent()
	for range surgical.BatchSize {
		w.deliver(body)
	}
	covered := w.Sent()
	w.Clock.Advance(surgical.Settle + time.Second)
	w.finish(first)
	w.take()
	w.db.CountKeys()
	for range surgical.BatchSize {
		w.deliver(body) // counted here, and taken from the queue unprocessed
	}
	w.Sent()
	w.finish(covered)
	all := w.take()
	all.Hottest = w.db.Hottest()
	return all.times(1.0 / surgical.BatchSize)
}

// Failed is one attempt to fetch an entity while GitLab answers 503. It does so for one
// of the requests only, so that the log names the same one each time.
func Failed(t cloud.TB) Counted {
	w := newWorld(t)
	w.discussed(issue(), notes)
	w.Clock.Advance(time.Minute)
	w.GitLab.AddDiscussion(issue(), fakegitlab.Note{Body: comment(1)})
	w.deliver(w.sample(issue()))
	sent := w.Sent()
	w.Clock.Advance(surgical.Settle + time.Second)
	w.GitLab.Inject(fakegitlab.Fault{Endpoint: "discussions", Requests: 100, Status: http.StatusServiceUnavailable})
	w.handle(sent) // claims the run, as the first attempt does
	w.Clock.Advance(surgical.MaxDelay)
	w.take()
	if left := w.handle(sent); left != 1 {
		w.T.Fatalf("the worker left %d messages", left)
	}
	return w.take()
}

// finish lets a worker process the messages to their end, with the workflow.
func (w *world) finish(sent awsevents.SQSEvent) {
	if left := w.handle(sent); left > 0 {
		w.T.Fatalf("the worker left %d messages", left)
	}
	w.Drive()
}

// First is the first copy of such an issue, which writes everything.
func First(t cloud.TB, discussions int) Counted {
	w := newWorld(t)
	w.discussed(fakegitlab.IssueRef(issue().IID+1), 0) // with it the feeds begin, which rebuilds the index
	w.indexFirst()
	w.take()
	bytes, index := w.stored(), w.indexed()
	w.discussed(issue(), discussions)
	all := w.take()
	all.Bytes, all.Index = w.stored()-bytes, w.indexed()-index
	all.States = states * all.Executions
	return all
}

// Census is one copy that a census fetches and that did not change.
func Census(t cloud.TB) Counted {
	w := newWorld(t)
	w.discussed(issue(), notes)
	w.Clock.Advance(time.Hour)
	w.take()
	w.must(w.ToBulk.Send(t.Context(), w.Request(surgical.OriginCensus, issue())))
	w.work()
	w.follow()
	return w.take()
}

// Search is one query, answered with a page of hits by a function that has the index.
func Search(t cloud.TB) Counted {
	w := newWorld(t)
	w.indexFirst()
	w.discussed(issue(), 2*found)
	words, err := language.New(language.Default)
	if err != nil {
		t.Fatal(err)
	}
	f := &finder.Finder{Engine: w.engine, Truth: w.Content.ForReaders(w.Ledger.ProjectHiddenAt, surgical.Exclude), Words: words}
	query := func() {
		w.must(w.invoke("search", func(ctx context.Context) error {
			answer, err := f.Find(ctx, search.Query{Text: "w031 w062 comment", Limit: found})
			if err == nil && len(answer.Hits) == 0 {
				err = fmt.Errorf("nothing was found")
			}
			return err
		}))
	}
	query()
	w.take()
	query()
	all := w.take()
	all.Gateway++
	all.Functions["api"] = Used{Invocations: 1, Calls: map[string]float64{toLambda: 1}}
	return all
}

const (
	// notes is how many comments an issue has on average.
	notes = 5
	// found is how many hits a page has.
	found = 20
)

// discussed makes an issue with its comments, and copies it.
func (w *world) discussed(ref surgical.EntityRef, comments int) {
	w.GitLab.Delete(ref)
	w.GitLab.SetIssue(fakegitlab.NewIssue(ref.IID, "An issue", comment(0), fakegitlab.Time{Time: w.Clock.Now()}))
	for n := range comments {
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: comment(n)})
	}
	w.deliver(w.sample(ref))
	w.work()
	w.follow()
}

// indexFirst makes the index of nothing, so that no rebuild is counted, and lets the indexer
// read it.
func (w *world) indexFirst() {
	w.look()
	w.must(w.invoke("indexer", func(ctx context.Context) error {
		_, err := w.engine.Known(ctx, nil)
		return err
	}))
}

// change adds a comment, and lets it become visible.
func (w *world) change(ref surgical.EntityRef) {
	w.Clock.Advance(time.Second)
	w.comments++
	w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: comment(1000 + w.comments)})
	w.deliver(w.sample(ref))
	w.work()
}

// sample is the body of a webhook about the issue, of now.
func (w *world) sample(ref surgical.EntityRef) string {
	sample, err := events.Named("note_issue")
	w.must(err)
	var body map[string]any
	w.must(json.Unmarshal(sample.Body, &body))
	now := w.Clock.Now().UTC().Format("2006-01-02 15:04:05 UTC")
	about := body["issue"].(map[string]any)
	about["updated_at"], about["iid"] = now, ref.IID
	note := body["object_attributes"].(map[string]any)
	note["created_at"], note["updated_at"] = now, now
	for _, d := range w.GitLab.Discussions(ref) {
		note["id"] = d.Notes[len(d.Notes)-1].ID
	}
	out, err := json.Marshal(body)
	w.must(err)
	return string(out)
}
