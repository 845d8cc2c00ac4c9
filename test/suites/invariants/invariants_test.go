package invariants_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// journal records what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) count(line string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, l := range j.lines {
		if l == line {
			n++
		}
	}
	return n
}

// watched returns a world that records every response of GitLab ("fetched") and
// every write of content ("wrote").
func watched(t *testing.T, e engines.Engine) (*cloud.World, *journal) {
	j := &journal{}
	db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
		if slices.Contains(call.Tables(), e.Tables.Content) {
			j.note("wrote")
		}
		return send()
	})
	w := cloud.NewWorld(t, db, e.Tables, func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			j.note("fetched")
			return resp, err
		})
	})
	return w, j
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestInvariant1EveryFetchEndsBeforeTheFirstContentWriteAndNoneFollowsACommit(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		w, j := watched(t, e)
		w.Sync(w.Request(surgical.OriginManual, fakegitlab.IssueRef(7), fakegitlab.IssueRef(8), fakegitlab.MergeRequestRef(12)))
		first := slices.Index(j.lines, "wrote")
		if got := j.count("fetched"); got != 15 || first < 0 {
			t.Fatalf("%d fetches, first write at %d", got, first)
		}
		if slices.Contains(j.lines[first:], "fetched") {
			t.Errorf("a fetch after the first write of content: %v", j.lines)
		}
	})
}

func TestInvariant1OneFailedTargetMeansNoContentWrite(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		w, j := watched(t, e)
		req := w.Request(surgical.OriginManual, fakegitlab.IssueRef(7), fakegitlab.IssueRef(4711))
		if verdict, err := w.Deliver(req); err != nil || !cloud.Deleted(verdict) {
			t.Fatalf("verdict %v, error %v", verdict, err)
		}
		if run := w.Run(req.RunID); run.Status != surgical.StatusFailed || j.count("wrote") != 0 {
			t.Errorf("the run is %s after %d writes of content", run.Status, j.count("wrote"))
		}
	})
}

func TestInvariant2PreflightOnlyReportsAndWritesNoContent(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		w, j := watched(t, e)
		ref := fakegitlab.IssueRef(7)
		req := w.Request(surgical.OriginManual, ref)
		req.Options.PreflightOnly = true
		run := w.Sync(req)
		if j.count("wrote") != 0 || j.count("fetched") != 5 {
			t.Errorf("%d writes of content, %d fetches", j.count("wrote"), j.count("fetched"))
		}
		preview := run.Previews[ref.Target]
		if preview.Bytes == 0 || !preview.UpdatedAt.Equal(w.GitLab.UpdatedAt(ref).Truncate(time.Millisecond)) || preview.Discussions != len(w.GitLab.Discussions(ref)) {
			t.Errorf("preview %+v", preview)
		}
	})
}

// Every order in which four consecutive fetches may commit.
func TestInvariant3NoOrderOfCommitsMakesTheVisibleCopyOlder(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		iid := int64(100)
		for _, order := range permutations([]int{0, 1, 2, 3}) {
			iid++
			ref := fakegitlab.IssueRef(iid)
			w.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "Text", fakegitlab.Time{Time: w.Clock.Now()}))
			var snaps []surgical.Snapshot
			for i := range order {
				// Comments in quick succession do not move updated_at.
				w.Clock.Advance(5 * time.Second)
				w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprint("Comment ", i)})
				snap, err := w.Fetch(t.Context(), ref)
				if err != nil {
					t.Fatal(err)
				}
				snaps = append(snaps, snap)
			}
			var before surgical.Head
			for _, i := range order {
				req := w.Request(surgical.OriginManual, ref)
				run, err := w.Ledger.Claim(t.Context(), surgical.Run{}, surgical.Claim{Request: req, MessageID: "m", Lease: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				result, err := w.Engine.Ingest(t.Context(), run, snaps[i:i+1], worker.Before{})
				if _, moved := result.(worker.Moved); err != nil || moved {
					t.Fatalf("order %v: %T, error %v", order, result, err)
				}
				head, err := w.Content.Head(t.Context(), ref)
				if err != nil {
					t.Fatal(err)
				}
				if head.UpdatedAt.Before(before.UpdatedAt) || head.FetchedAt.Before(before.FetchedAt) || head.Revision < before.Revision {
					t.Errorf("order %v: %+v after %+v", order, head, before)
				}
				before = head
			}
			if want := snaps[3].FetchedAt; !before.FetchedAt.Equal(want) {
				t.Errorf("order %v ends with the fetch of %s, not of %s", order, before.FetchedAt, want)
			}
		}
	})
}

func permutations(of []int) [][]int {
	if len(of) <= 1 {
		return [][]int{slices.Clone(of)}
	}
	var all [][]int
	for i, first := range of {
		for _, rest := range permutations(slices.Delete(slices.Clone(of), i, i+1)) {
			all = append(all, append([]int{first}, rest...))
		}
	}
	return all
}

func TestInvariant4AReaderSeesOneFetchWholeWhileCommitsGoOn(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := many(t, w, 60) // too many for the head itself
		var mu sync.Mutex
		truth := map[int64]int{} // discussions by fetched_at
		real := w.Fetch
		w.Fetch = func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
			snap, err := real(ctx, ref)
			discussions := 0
			for _, child := range snap.Children {
				if child.Kind == surgical.KindDiscussion {
					discussions++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			truth[snap.FetchedAt.UnixMicro()] = discussions
			return snap, err
		}
		w.Webhook(ref)
		ctx, stop := context.WithCancel(t.Context())
		reads := make(chan []content.Entity)
		go func() {
			var seen []content.Entity
			for ctx.Err() == nil {
				entity, err := w.Shown().Read(context.WithoutCancel(ctx), ref)
				if err != nil {
					t.Error(err)
					break
				}
				seen = append(seen, entity)
			}
			reads <- seen
		}()
		for i := range 8 {
			id := w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "More."})
			if i%3 == 2 {
				w.GitLab.DeleteDiscussion(ref, id)
			}
			w.Webhook(ref)
		}
		stop()
		revisions := map[int64]bool{}
		for _, entity := range <-reads {
			revisions[entity.Revision] = true
			if want := truth[entity.FetchedAt.UnixMicro()]; len(entity.Discussions) != want {
				t.Fatalf("revision %d shows %d discussions, its fetch had %d", entity.Revision, len(entity.Discussions), want)
			}
		}
		if len(revisions) < 2 {
			t.Errorf("the reader saw %d revisions: the test proves little", len(revisions))
		}
	})
}

func TestInvariant6ARunsDocsStageTouchesItsOwnDirtyRowsAlone(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		issue, mr := fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12)
		first, second := w.Request(surgical.OriginManual, issue), w.Request(surgical.OriginManual, mr)
		for _, req := range []surgical.Request{first, second} {
			if _, err := w.Deliver(req); err != nil {
				t.Fatal(err)
			}
		}
		w.Workflow.Forget()
		if _, err := w.Docs.Handle(t.Context(), workflow.Input{RunID: first.RunID, Generation: 1}); err != nil {
			t.Fatal(err)
		}
		documents, err := w.Content.Documents(t.Context(), mr)
		if err != nil || len(documents) > 0 {
			t.Errorf("%d documents of the other run were written, error %v", len(documents), err)
		}
		dirty, err := w.Ledger.DirtySources(t.Context(), mr)
		if err != nil || len(dirty) != 1 || dirty[0].RunID != second.RunID {
			t.Errorf("dirty sources of the other run: %v, error %v", dirty, err)
		}
	})
}

func TestInvariant7EmbedRunsOnlyOnWhatThisRunRegenerated(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		quiet := w.Request(surgical.OriginManual, ref)
		quiet.Options.NoEmbed = true
		if run := w.Sync(quiet); run.Counters.ChunksEmbedded != 0 || run.Counters.DocumentsRegenerated == 0 {
			t.Errorf("no_embed: %+v", run.Counters)
		}
		embedded, err := w.Content.Embedded(t.Context(), ref)
		if err != nil || len(embedded) > 0 {
			t.Errorf("no_embed: embeddings of %v, error %v", embedded, err)
		}
		id := w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "one more"})
		w.Webhook(ref)
		if embedded, err = w.Content.Embedded(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if !embedded["discussion#"+id] {
			t.Error("the new discussion is not embedded")
		}
		for _, d := range w.GitLab.Discussions(ref) {
			if d.ID != id && embedded["discussion#"+d.ID] {
				t.Errorf("discussion %s of the run before was embedded", d.ID)
			}
		}
		if run := w.Webhook(ref); run.JobsInserted != 0 {
			t.Errorf("a sync that changed nothing inserted %d jobs", run.JobsInserted)
		}
	})
}

// A job is inserted between the listing of the open jobs and the closing.
func TestInvariant8AJobInsertedWhileTheRunIsClosedIsAbortedToo(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		var meanwhile func()
		db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			if act := meanwhile; act != nil && call.Operation == "TransactWriteItems" {
				meanwhile = nil
				act()
			}
			return send()
		})
		w := cloud.NewWorld(t, db, e.Tables)
		req := w.Request(surgical.OriginManual, fakegitlab.IssueRef(7))
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		meanwhile = func() { insertJob(t, w, req) }
		if _, err := w.Abort.Handle(t.Context(), workflow.AbortInput{Input: workflow.Input{RunID: req.RunID, Generation: 1}, Stage: "docs", Error: "Permanent"}); err != nil {
			t.Fatal(err)
		}
		jobs, err := w.Ledger.Jobs(t.Context(), req.RunID)
		if err != nil || len(jobs) != 2 {
			t.Fatalf("jobs %v, error %v", jobs, err)
		}
		for _, job := range jobs {
			if job.Status != surgical.JobAborted {
				t.Errorf("job %s is %s in a run that is %s", job.ID, job.Status, w.Run(req.RunID).Status)
			}
		}
	})
}

// insertJob inserts an embed job as all insertions do: it raises the run's
// counter on condition that the run is running.
func insertJob(t *testing.T, w *cloud.World, req surgical.Request) {
	t.Helper()
	job, err := w.Ledger.InsertJob(surgical.Job{
		RunID: req.RunID, ID: ledger.JobID(surgical.JobEmbed, req.Targets[0]), Type: surgical.JobEmbed, Ref: req.Refs()[0], Status: surgical.JobPending,
	})
	if err != nil {
		t.Fatal(err)
	}
	expr, err := expression.NewBuilder().
		WithCondition(expression.Name("status").Equal(expression.Value(surgical.StatusRunning))).
		WithUpdate(expression.Add(expression.Name("jobs_inserted"), expression.Value(1))).Build()
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.DB.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{job, {Update: &types.Update{
		TableName: &w.Tables.SyncRuns, Key: map[string]types.AttributeValue{"run_id": &types.AttributeValueMemberS{Value: req.RunID}},
		ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}}}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestInvariant9ACommitWhoseAnswerIsLostCountsAndIsNotRepeated(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		lose := true
		db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			err := send()
			if lose && err == nil && call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), e.Tables.Content) {
				lose = false
				return errors.New("the response was lost")
			}
			return err
		})
		w := cloud.NewWorld(t, db, e.Tables)
		ref := fakegitlab.IssueRef(7)
		run := w.Sync(w.Request(surgical.OriginManual, ref))
		if head, err := w.Content.Head(t.Context(), ref); err != nil || head.Revision != 1 || run.Attempt != 1 {
			t.Errorf("revision %d after %d attempts, error %v", head.Revision, run.Attempt, err)
		}
	})
}

func TestInvariant9AWorkflowThatWasNeverStartedIsStartedByTheSweeper(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		req := w.Request(surgical.OriginWebhook, fakegitlab.IssueRef(7))
		w.Engine.Launch = noWorkflow
		w.Clock.Advance(surgical.Settle + time.Second)
		if verdict, err := w.Process(w.Message(req)); err == nil || cloud.Deleted(verdict) {
			t.Fatalf("verdict %v, error %v", verdict, err)
		}
		w.Clock.Advance(2 * time.Minute)
		w.Sweep()
		w.Drive()
		if run := w.Run(req.RunID); run.Status != surgical.StatusSucceeded {
			t.Errorf("the run is %s: %v", run.Status, run.Error)
		}
	})
}

// noWorkflow fails to start any workflow.

func noWorkflow(context.Context, surgical.Run, int64, bool) error {
	return errors.New("out of reach")
}

func TestInvariant9TheSameMessageNeverRetriesAFailedRunButAnotherDeliveryDoes(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		real := w.Fetch
		w.Fetch = func(context.Context, surgical.EntityRef) (surgical.Snapshot, error) {
			return surgical.Snapshot{}, surgical.NewError(surgical.CodeGitLabForbidden, "forbidden")
		}
		req := w.Request(surgical.OriginWebhook, ref)
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		if verdict, err := w.Deliver(req); err != nil || !cloud.Deleted(verdict) || w.Run(req.RunID).RetriedBy != "" {
			t.Errorf("the same message: verdict %v, error %v, run %+v", verdict, err, w.Run(req.RunID))
		}
		w.Fetch = real
		again := w.Message(req)
		again.ID = "another message"
		if _, err := w.Process(again); err != nil {
			t.Fatal(err)
		}
		w.Drive()
		if retry := w.Run(w.Run(req.RunID).RetriedBy); retry.Status != surgical.StatusSucceeded || retry.RetryOf != req.RunID {
			t.Errorf("the retry is %s of %q: %v", retry.Status, retry.RetryOf, retry.Error)
		}
	})
}

func TestInvariant11AFailedPreflightNamesTheCulpritsAndTheirPeers(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		var refs []surgical.EntityRef
		for iid := int64(200); iid < 210; iid++ {
			refs = append(refs, fakegitlab.IssueRef(iid))
			if iid >= 203 {
				w.GitLab.SetIssue(fakegitlab.NewIssue(iid, "Issue", "Text", fakegitlab.Time{Time: w.Clock.Now()}))
			}
		}
		req := w.Request(surgical.OriginManual, refs...)
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		e := w.Run(req.RunID).Error
		if e == nil || e.Code != surgical.CodePreflightFailed || e.RunID != req.RunID || e.Total != 10 || len(e.Failures) != 3 {
			t.Fatalf("error %+v", e)
		}
		for i, f := range e.Failures {
			want := surgical.TargetFailure{Target: refs[i].Target, Code: surgical.CodeGitLabNotFound, Action: surgical.ActionVerifyIID, Message: f.Message}
			if diff := cmp.Diff(want, f); diff != "" || f.Message == "" {
				t.Errorf("failure %d (-want +got):\n%s", i, diff)
			}
		}
		rows, err := w.Ledger.Entities(t.Context(), req.RunID)
		if err != nil || len(rows) != 10 {
			t.Fatalf("%d entity rows, error %v", len(rows), err)
		}
		peers := 0
		for _, row := range rows {
			if row.Status != surgical.EntityFailed {
				t.Errorf("%s is %s", row.Ref, row.Status)
			}
			if row.Code == surgical.CodeAbortedByPeer {
				peers++
			}
		}
		if peers != 7 {
			t.Errorf("%d aborted by a peer", peers)
		}
	})
}

func TestDocumentsOfAnIssueThatTurnsConfidentialVanishAtOnceEvenWithoutDocs(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		w.Webhook(ref)
		w.GitLab.EditIssue(ref, func(i *fakegitlab.Issue) { i.Confidential = true })
		req := w.Request(surgical.OriginManual, ref)
		req.Options = surgical.Options{NoDocs: true, NoEmbed: true}
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		head, err := w.Content.Head(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		documents, err := w.Content.Documents(t.Context(), ref)
		if err != nil || len(documents) == 0 {
			t.Fatalf("%d documents, error %v", len(documents), err)
		}
		for _, d := range documents {
			if d.Revision >= head.DocumentsVisibleFrom {
				t.Errorf("document %s of revision %d is visible from %d on", d.ID, d.Revision, head.DocumentsVisibleFrom)
			}
		}
		w.Drive()
		embedded, err := w.Content.Embedded(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if documents, err = w.Content.Documents(t.Context(), ref); err != nil || len(documents)+len(embedded) > 0 {
			t.Errorf("%d documents and %d embeddings are left, error %v", len(documents), len(embedded), err)
		}
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "later"})
		w.Clock.Advance(16 * time.Minute)
		w.Sweep()
		for _, drain := range w.Resent() {
			w.Sync(drain)
		}
		if documents, err = w.Content.Documents(t.Context(), ref); err != nil || len(documents) == 0 {
			t.Fatalf("%d documents after the drain, error %v", len(documents), err)
		}
		for _, d := range documents {
			if !d.Confidential {
				t.Errorf("document %s is not marked confidential", d.ID)
			}
		}
	})
}

func TestARelabelledIssueRendersItsOwnDocumentAloneAndATitleRendersAll(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		w.Webhook(ref)
		w.GitLab.Relabel(ref, []string{"later"}, nil)
		if run := w.Webhook(ref); run.Counters.DocumentsWritten != 1 {
			t.Errorf("a label rendered %d documents", run.Counters.DocumentsWritten)
		}
		w.GitLab.Edit(ref, func(c *fakegitlab.Common) { c.Title = "Another title" })
		if run, want := w.Webhook(ref), int64(1+len(w.GitLab.Discussions(ref))); run.Counters.DocumentsWritten != want {
			t.Errorf("a title rendered %d documents of %d", run.Counters.DocumentsWritten, want)
		}
		gone := w.GitLab.Discussions(ref)[0].ID
		w.GitLab.DeleteDiscussion(ref, gone)
		w.Webhook(ref)
		documents, err := w.Content.SomeDocuments(t.Context(), ref, []string{"discussion#" + gone})
		if err != nil || len(documents) > 0 {
			t.Errorf("the deleted discussion has a document, error %v", err)
		}
		if embedded, err := w.Content.Embedded(t.Context(), ref); err != nil || embedded["discussion#"+gone] {
			t.Errorf("the deleted discussion is embedded, error %v", err)
		}
	})
}
