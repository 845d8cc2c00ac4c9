package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// interrupted is a fixture on the engine in memory in which something happens
// once, before or after one of the calls to DynamoDB.
type interrupted struct {
	*fixture
	mu     sync.Mutex
	calls  int
	at     int
	after  bool
	do     func()
	writes int // calls that wrote to the content table since
}

func interruptedFixture(t *testing.T, at int, after bool) *interrupted {
	t.Helper()
	i := &interrupted{at: at, after: after}
	db, tables := fakedynamodb.New()
	client := cloud.Intercept(db.Client(), func(_ context.Context, call cloud.Call, send func() error) error {
		do := i.next(call, tables.Content)
		if !i.after {
			do()
			return send()
		}
		err := send()
		do()
		return err
	})
	i.fixture = newFixture(t, engines.Engine{Name: "memory", DynamoDB: client, Tables: tables})
	return i
}

// next counts a call and returns what happens at it.
func (i *interrupted) next(call cloud.Call, content string) func() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	if i.do == nil {
		if i.calls > i.at && call.Writes() && slices.Contains(call.Tables(), content) {
			i.writes++
		}
		return func() {}
	}
	if i.calls != i.at {
		return func() {}
	}
	do := i.do
	i.do = nil
	return do
}

// finish brings a run to its end, however often its message has to come.
func (i *interrupted) finish(req surgical.Request) {
	i.Helper()
	for range 5 {
		if verdict, _ := i.Deliver(req); cloud.Deleted(verdict) {
			i.Drive()
			return
		}
		i.Clock.Advance(surgical.Lease)
	}
	i.Fatalf("run %s does not end", req.RunID)
}

// Cancels a run before and after each of the calls to DynamoDB that it makes, in
// all its stages.
func TestACancelAtAnyMomentLeavesARunThatIsCancelledOrOneThatSucceeded(t *testing.T) {
	cancelled, succeeded, step, enough := 0, 0, 1, 80
	if testing.Short() {
		step, enough = 5, 16 // a sample
	}
	for _, leaves := range []bool{false, true} { // docs leaves it to embed
		for _, after := range []bool{false, true} {
			for at, more := 1, true; more; at += step {
				t.Run(fmt.Sprintf("call %d, after it: %t, with embed: %t", at, after, leaves), func(t *testing.T) {
					i := interruptedFixture(t, at, after)
					i.LeaveToEmbed = leaves
					id := i.start(`{"project_id":1,"issues":[7]}`)
					req := i.queue.take()[0]
					status := 0
					i.calls, i.do = 0, func() { status = i.post("/v1/sync-runs/"+id+"/cancel", "").Code }
					i.finish(req)
					if more = i.do == nil; !more {
						return // the run makes fewer calls
					}
					run := i.World.Run(id)
					switch {
					case status == http.StatusOK && run.Status == surgical.StatusCancelled:
						cancelled++
					case status == http.StatusConflict && run.Status == surgical.StatusSucceeded:
						succeeded++
					default:
						t.Fatalf("the cancel was answered with %d, and the run is %s: %v", status, run.Status, run.Error)
					}
					i.sound(run)
				})
			}
		}
	}
	if cancelled < enough || succeeded == 0 && !testing.Short() {
		t.Errorf("%d runs were cancelled and %d were not: the test shows little", cancelled, succeeded)
	}
}

// sound checks what is left of a run that has ended, and that a retry does what
// it left undone.
func (i *interrupted) sound(run surgical.Run) {
	i.Helper()
	ref := fakegitlab.IssueRef(7)
	jobs, err := i.Ledger.Jobs(i.Context(), run.RunID)
	if err != nil {
		i.Fatal(err)
	}
	for _, job := range jobs {
		if job.Status == surgical.JobPending || job.Status == surgical.JobClaimed {
			i.Errorf("job %s is %s", job.ID, job.Status)
		}
	}
	head, err := i.Content.Head(i.Context(), ref)
	if err != nil || head.Exists() != run.Committed() {
		i.Errorf("the copy exists: %t, committed by attempt %d, error %v", head.Exists(), run.CommittedBy, err)
	}
	if run.Status == surgical.StatusCancelled {
		retry := i.post("/v1/sync-runs/"+run.RunID+"/retry-failed", "")
		switch {
		case retry.Code == http.StatusAccepted:
			i.work()
			id := decode[api.RunSummary](i.T, retry, http.StatusAccepted).RunID
			if again := i.World.Run(id); again.Status != surgical.StatusSucceeded {
				i.Errorf("the retry is %s: %v", again.Status, again.Error)
			}
		case retry.Code != http.StatusConflict || !run.Committed():
			i.Errorf("the retry is answered with %d: %s", retry.Code, retry.Body)
		}
	}
	entity := i.Entity(ref)
	embedded, err := i.Content.Embedded(i.Context(), ref)
	if want := 1 + len(i.GitLab.Discussions(ref)); err != nil || len(entity.Discussions) != want-1 || len(embedded) != want {
		i.Errorf("%d discussions, %d documents are embedded, want %d; error %v", len(entity.Discussions), len(embedded), want, err)
	}
}

func TestACancelStopsAStageBeforeItsNextBatchOfDocuments(t *testing.T) {
	for _, stage := range []string{"docs", "embed"} {
		t.Run(stage, func(t *testing.T) {
			i := interruptedFixture(t, 1, true)
			ref := fakegitlab.IssueRef(7)
			for n := range 300 {
				i.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprintf("Note %d.", n)})
			}
			id := i.start(`{"project_id":1,"issues":[7]}`)
			if verdict, err := i.Deliver(i.queue.take()[0]); err != nil || !cloud.Deleted(verdict) {
				t.Fatalf("verdict %v, error %v", verdict, err)
			}
			i.Workflow.Forget()
			in, runner := workflow.InputOf(t.Context(), id, 1), i.Docs
			if stage == "embed" {
				if result, err := i.Docs.Handle(t.Context(), in); err != nil || result.Outcome != workflow.Done {
					t.Fatalf("%+v, error %v", result, err)
				}
				runner = i.Embed
			}
			i.calls, i.at, i.writes = 0, 12, 0 // amid the first batch
			i.do = func() {
				decode[api.SyncResult](t, i.post("/v1/sync-runs/"+id+"/cancel", ""), http.StatusOK)
			}
			result, err := runner.Handle(t.Context(), in)
			if err != nil || result.Outcome != workflow.Yielded || i.do != nil {
				t.Errorf("%+v, error %v", result, err)
			}
			if i.writes > 2 {
				t.Errorf("%d writes of documents or embeddings after the cancel: the stage went on", i.writes)
			}
		})
	}
}
