package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func sample(t *testing.T, name string) delivery {
	t.Helper()
	s, err := events.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return delivery{event: s.Event, body: s.Body}
}

func TestASignedDeliveryBecomesACompleteCopy(t *testing.T) {
	s := up(t)
	ref := fakegitlab.IssueRef(7)
	s.gitlab.AddDiscussion(ref, fakegitlab.Note{Body: "From the end-to-end test."})
	s.invoke(t, "lorehook-feed", `{"Records":[]}`) // its first work restarts the feeds
	before := s.changes(t, "/v1/changes")
	a := s.deliver(t, sample(t, "note_issue"))
	if a.Status != http.StatusAccepted || a.Body.Status != "queued" {
		t.Fatalf("answer %d %+v", a.Status, a.Body)
	}
	r := s.ended(t, a.Body.RunID)
	if r.Status != surgical.StatusSucceeded || r.Counters["gitlab_requests"] != 5 {
		t.Fatalf("run %+v", r)
	}
	var entity struct {
		Title       string            `json:"title"`
		RunID       string            `json:"run_id"`
		Discussions []json.RawMessage `json:"discussions"`
		Documents   []struct {
			ID       string `json:"id"`
			Embedded bool   `json:"embedded"`
		} `json:"documents"`
	}
	if status := s.get(t, "/v1/projects/1/issues/7", &entity); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	// The stack has the default setting: readers see no internal notes.
	want := slices.DeleteFunc(s.gitlab.Discussions(ref), func(d fakegitlab.Discussion) bool { return d.Notes[0].Internal })
	if entity.RunID != r.RunID || len(entity.Discussions) != len(want) || len(entity.Documents) != len(want)+1 {
		t.Errorf("%d discussions and %d documents of run %s, GitLab has %d public discussions", len(entity.Discussions), len(entity.Documents), entity.RunID, len(want))
	}
	for _, d := range entity.Documents {
		if !d.Embedded {
			t.Errorf("document %s is not embedded", d.ID)
		}
	}
	if len(want) == len(s.gitlab.Discussions(ref)) {
		t.Error("the issue has no internal note: the test proves little")
	}
	until(t, "the change feed has the issue", func() bool {
		return slices.ContainsFunc(s.changes(t, "/v1/changes?since="+before.Next).Changes, func(c api.ChangeView) bool {
			return c.IID == ref.IID && c.Type == ref.Type && c.Entity != nil && c.Entity.Title == entity.Title
		})
	})
}

func TestAWordOfACommentIsFoundSoonAfterItsDelivery(t *testing.T) {
	s := up(t)
	s.wake(t, "indexer")
	ref := fakegitlab.IssueRef(7)
	s.gitlab.AddDiscussion(ref, fakegitlab.Note{Body: "The zeppelin is moored at the mast."})
	began := time.Now()
	if r := s.ended(t, s.deliver(t, sample(t, "note_issue")).Body.RunID); r.Status != surgical.StatusSucceeded {
		t.Fatalf("run %+v", r)
	}
	ended := time.Now()
	var found api.SearchResult
	until(t, "the comment is found", func() bool {
		var page api.SearchResult
		if status := s.get(t, "/v1/search?q=moored+zeppelins", &page); status == http.StatusConflict {
			return false // the index is being built for the first time
		}
		found = page
		// Until the comment is indexed, its vector finds what resembles it.
		return slices.ContainsFunc(page.Hits, func(h api.SearchHit) bool {
			return slices.ContainsFunc(h.Passages, func(p api.SearchPassage) bool { return strings.Contains(p.Text, "zeppelin") })
		})
	})
	t.Logf("found %v after the run ended, which took %v", time.Since(ended).Round(time.Millisecond), ended.Sub(began).Round(time.Millisecond))
	hit := found.Hits[0]
	if hit.IID != ref.IID || hit.Type != ref.Type || len(hit.Passages) == 0 || !strings.Contains(hit.Passages[0].Text, "zeppelin") || len(hit.Passages[0].Marks) == 0 {
		t.Errorf("%+v", hit)
	}
}

// changes reads the change feed.
func (s stack) changes(t *testing.T, path string) (list api.ChangeList) {
	t.Helper()
	if status := s.get(t, path, &list); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	return list
}

func TestWhatIsNotVerifiedOrNoEventIsRefusedAndNotEnqueued(t *testing.T) {
	s := up(t)
	issue := sample(t, "issue_opened")
	with := func(body []byte, header map[string]string) delivery {
		return delivery{event: issue.event, body: body, header: header}
	}
	tests := []struct {
		name   string
		d      delivery
		status int
		code   surgical.Code
	}{
		{"a wrong signature", with(issue.body, map[string]string{"webhook-signature": "v1,AAAA"}), 401, surgical.CodeInvalidSignature},
		{"an old signature", with(issue.body, map[string]string{"webhook-timestamp": "1700000000"}), 401, surgical.CodeInvalidSignature},
		{"no signature and no token", with(issue.body, map[string]string{"webhook-signature": ""}), 401, surgical.CodeInvalidSignature},
		{"a wrong token", with(issue.body, map[string]string{"webhook-signature": "", "X-Gitlab-Token": "guess"}), 401, surgical.CodeInvalidSignature},
		{"no JSON", with([]byte("{"), nil), 400, surgical.CodeInvalidRequest},
		{"an array", with([]byte("[]"), nil), 400, surgical.CodeInvalidRequest},
		{"a huge body", with(append([]byte(`{"a":"`), append(bytes.Repeat([]byte("x"), 6<<20), '"', '}')...), nil), 413, surgical.CodePayloadTooLarge},
		{"wrong types", with([]byte(`{"object_kind":7,"project":"x","object_attributes":[]}`), nil), 200, ""},
		{"another project", with(bytes.Replace(issue.body, []byte(`"id": 1,`), []byte(`"id": 99,`), 1), nil), 200, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := s.deliver(t, test.d)
			if a.Status != test.status || a.Body.Code != test.code || a.Body.RunID != "" {
				t.Errorf("answer %d %+v", a.Status, a.Body)
			}
			if test.status >= 400 && a.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %q", a.Header.Get("Content-Type"))
			}
		})
	}
}

func TestAHookWithASecretTokenAloneIsLetIn(t *testing.T) {
	s := up(t)
	d := sample(t, "merge_request_updated")
	d.header = map[string]string{"webhook-signature": "", "webhook-id": "", "webhook-timestamp": "", "X-Gitlab-Token": secretToken}
	a := s.deliver(t, d)
	if a.Status != http.StatusAccepted {
		t.Fatalf("answer %d %+v", a.Status, a.Body)
	}
	if r := s.ended(t, a.Body.RunID); r.Status != surgical.StatusSucceeded {
		t.Errorf("run %+v", r)
	}
}

func TestTheSameDeliveryTwiceIsOneRun(t *testing.T) {
	s := up(t)
	d := sample(t, "issue_updated")
	d.key = "e2e-same-key-" + strconv.FormatInt(s.gitlab.UpdatedAt(fakegitlab.IssueRef(7)).UnixNano(), 36)
	first, second := s.deliver(t, d), s.deliver(t, d)
	if first.Body.RunID == "" || first.Body.RunID != second.Body.RunID {
		t.Fatalf("runs %q and %q", first.Body.RunID, second.Body.RunID)
	}
	if r := s.ended(t, first.Body.RunID); r.Attempts != 1 {
		t.Errorf("%d attempts", r.Attempts)
	}
}

func TestAMissingEntityFailsItsRunWithATypedErrorAfterThreeFetches(t *testing.T) {
	s := up(t)
	body := []byte(`{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":4711}}`)
	a := s.deliver(t, delivery{event: "Issue Hook", body: body})
	r := s.ended(t, a.Body.RunID)
	if r.Status != surgical.StatusFailed || r.ErrorCode != surgical.CodePreflightFailed || r.Error == nil || r.Error.Total != 1 || len(r.Error.Failures) != 1 {
		t.Fatalf("run %+v with %+v", r, r.Error)
	}
	if f := r.Error.Failures[0]; f.Code != surgical.CodeGitLabNotFound || f.Action != surgical.ActionVerifyIID || f.IID != 4711 {
		t.Errorf("failure %+v", f)
	}
	// Counted by attempts: the first 404 of a fetch cancels its other requests.
	if r.Attempts != 3 {
		t.Errorf("fetched %d times", r.Attempts)
	}
}

func TestARateLimitIsWaitedForAndNothingIsLost(t *testing.T) {
	s := up(t)
	ref := fakegitlab.MergeRequestRef(12)
	s.gitlab.Inject(fakegitlab.Fault{Ref: ref, Requests: 1, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"2"}}})
	s.gitlab.AddDiscussion(ref, fakegitlab.Note{Body: "Behind a 429."})
	a := s.deliver(t, sample(t, "note_merge_request"))
	r := s.ended(t, a.Body.RunID)
	if r.Status != surgical.StatusSucceeded {
		t.Errorf("run %+v", r)
	}
}

func TestTwentyFiveTargetsOfTheBulkQueueCommitTogether(t *testing.T) {
	s := up(t)
	req := surgical.Request{ProjectID: 1, Origin: surgical.OriginReconcile, EventAt: now()}
	for i := range int64(surgical.MaxTargets) {
		ref := fakegitlab.IssueRef(500 + i)
		s.gitlab.SetIssue(fakegitlab.NewIssue(ref.IID, fmt.Sprintf("Issue %d", i), "Text", fakegitlab.Time{Time: req.EventAt}))
		s.gitlab.AddDiscussion(ref, fakegitlab.Note{Body: "Hello"})
		req.Targets = append(req.Targets, ref.Target)
	}
	req.RunID = surgical.RunID(req.Origin, "e2e-twenty-five")
	s.send(t, s.Outputs["BulkQueueUrl"], "e2e-twenty-five", marshal(t, req))
	r := s.ended(t, req.RunID)
	if r.Status != surgical.StatusSucceeded || len(r.Entities) != surgical.MaxTargets || r.Counters["documents_regenerated"] != 2*surgical.MaxTargets {
		t.Errorf("run %+v", r)
	}
}

func TestAMessageThatCannotBeDecodedGoesToTheDeadLettersAlone(t *testing.T) {
	s := up(t)
	s.send(t, s.Outputs["RequestsQueueUrl"], "e2e-undecodable", "no request")
	client := sqs.NewFromConfig(s.AWS)
	until(t, "the message is a dead letter", func() bool {
		out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(s.Outputs["DeadLetterQueueUrl"]), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages},
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.Attributes["ApproximateNumberOfMessages"] == "1"
	})
	a := s.deliver(t, sample(t, "issue_updated"))
	if r := s.ended(t, a.Body.RunID); r.Status != surgical.StatusSucceeded {
		t.Errorf("behind it: %+v", r)
	}
}

func (s stack) send(t *testing.T, queue, id, body string) {
	t.Helper()
	_, err := sqs.NewFromConfig(s.AWS).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(queue), MessageBody: aws.String(body), MessageGroupId: aws.String(id), MessageDeduplicationId: aws.String(id),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestTheSweeperWorksUnderItsRole(t *testing.T) {
	s := up(t)
	s.invoke(t, "lorehook-sweeper", "{}")
}

// invoke runs a function to its end.
func (s stack) invoke(t *testing.T, function, event string) {
	t.Helper()
	out, err := lambda.NewFromConfig(s.AWS).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &function, Payload: []byte(event)})
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError != nil {
		t.Errorf("%s: %s: %s", function, *out.FunctionError, out.Payload)
	}
}

// The last test: the others would have to wait for what these deliveries start.
func TestEverySampleIsAnsweredWith2xx(t *testing.T) {
	s := up(t)
	all, err := events.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range all {
		a := s.deliver(t, delivery{event: sample.Event, body: sample.Body})
		queued := a.Status == http.StatusAccepted && a.Body.Status == "queued" && a.Body.RunID != ""
		ignored := a.Status == http.StatusOK && a.Body.Status == "ignored" && a.Body.Reason != ""
		if !queued && !ignored {
			t.Errorf("%s: %d %+v", sample.Name, a.Status, a.Body)
		}
	}
}
