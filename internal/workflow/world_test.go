package workflow_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	"gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/fake/stepfunctions"
)

// world is the pipeline on the in-memory DynamoDB. Its executions are not run:
// the tests call the functions. Docs leaves everything to embed; see embedsSmall.
type world struct {
	*cloud.World
	T          *testing.T
	launched   []workflow.Input
	startFails error
	// around, if set, is asked for each call to DynamoDB.
	around atomic.Pointer[hook]
}

var errDown = errors.New("the service is down")

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	db, tables := fakedynamodb.New()
	client := cloud.Intercept(db.Client(), func(ctx context.Context, call cloud.Call, send func() error) error {
		if h := w.around.Load(); h != nil {
			return h.Around(ctx, call, send)
		}
		return send()
	})
	w.World = cloud.NewWorld(t, client, tables)
	states := stepfunctions.Client(func(in json.RawMessage) error {
		if w.startFails != nil {
			return w.startFails
		}
		var input workflow.Input
		err := json.Unmarshal(in, &input)
		w.launched = append(w.launched, input)
		return err
	})
	launcher := &workflow.Launcher{Starter: &workflow.Starter{Client: states, StateMachineARN: "arn"}, Ledger: w.Ledger}
	w.Docs.Launcher, w.Embed.Launcher = launcher, launcher
	w.embedsSmall(0)
	return w
}

// embedsSmall lets docs embed what has up to so many chunks.
func (w *world) embedsSmall(chunks int) {
	w.Docs.Work = &workflow.Documents{Content: w.Content, Embeddings: w.Embed.Work.(*workflow.Embeddings), Small: chunks, Clock: w.Clock.Now, Log: w.Docs.Log}
}

func (w *world) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// once lets do intercept the next call that matches and no other, also among
// calls that are made at the same time.
func (w *world) once(matches func(cloud.Call) bool, do func(send func() error) error) {
	var mu sync.Mutex
	over := false
	w.intercept(func(_ context.Context, call cloud.Call, send func() error) error {
		mu.Lock()
		mine := !over && matches(call)
		over = over || mine
		mu.Unlock()
		if !mine {
			return send()
		}
		return do(send)
	})
}

// intercept lets around decide the result of each call to DynamoDB, until
// w.around is reset or something else intercepts.
func (w *world) intercept(around cloud.Around) { w.around.Store(&hook{around}) }

// hook is asked for each call to DynamoDB.
type hook struct{ cloud.Around }

// writesContent matches the transactions that write documents or embeddings.
func (w *world) writesContent(call cloud.Call) bool {
	return call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), w.Tables.Content)
}

// endsJob matches the transaction that ends a job.
func (w *world) endsJob(call cloud.Call) bool {
	return call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), w.Tables.DependentQueue)
}

// commit commits the entities as they are in GitLab, and returns the input of
// the run's first execution.
func (w *world) commit(options surgical.Options, refs ...surgical.EntityRef) workflow.Input {
	w.T.Helper()
	req := w.Request(surgical.OriginManual, refs...)
	req.Options = options
	verdict, err := w.Deliver(req)
	w.must(err)
	if run := w.Run(req.RunID); !cloud.Deleted(verdict) || !run.Committed() {
		w.T.Fatalf("the delivery: %v, run %s: %v", verdict, run.Status, run.Error)
	}
	w.Workflow.Forget()
	return workflow.Input{RunID: req.RunID, Generation: 1}
}

// handle runs docs or embed once. Unless all jobs of its type have ended, it ends the
// test.
func (w *world) handle(runner *workflow.Runner, in workflow.Input) workflow.Result {
	w.T.Helper()
	result, err := runner.Handle(w.T.Context(), in)
	if err != nil || result.Outcome != workflow.Done && result.Outcome != workflow.Closed {
		w.T.Fatalf("%s: %+v, error %v", runner.Work.Type(), result, err)
	}
	return result
}

// ends does what the state machine does once the last stage with work answered outcome,
// and checks that the run has succeeded then.
func (w *world) ends(in workflow.Input, outcome workflow.Outcome) {
	w.T.Helper()
	if outcome == workflow.Done {
		_, err := w.Finish.Handle(w.T.Context(), in)
		w.must(err)
	}
	if run := w.Run(in.RunID); run.Status != surgical.StatusSucceeded {
		w.T.Errorf("after %s, the run is %s", outcome, run.Status)
	}
}

// regenerate runs docs, and embed if docs leaves it something.
func (w *world) regenerate(in workflow.Input) {
	w.T.Helper()
	if w.handle(w.Docs, in).Outcome == workflow.Done {
		w.handle(w.Embed, in)
	}
}

// synced is a copy that is complete: committed, documents and embeddings.
func (w *world) synced(ref surgical.EntityRef) {
	w.T.Helper()
	in := w.commit(surgical.Options{}, ref)
	w.handle(w.Docs, in)
	w.handle(w.Embed, in)
	_, err := w.Finish.Handle(w.T.Context(), in)
	w.must(err)
	w.settled(ref)
}

// job returns the only job of the run of this type.
func (w *world) job(runID string, typ surgical.JobType) surgical.Job {
	w.T.Helper()
	jobs, err := w.Ledger.Jobs(w.T.Context(), runID)
	w.must(err)
	jobs = slices.DeleteFunc(jobs, func(job surgical.Job) bool { return job.Type != typ })
	if len(jobs) != 1 {
		w.T.Fatalf("%d %s jobs", len(jobs), typ)
	}
	return jobs[0]
}

// documents are the entity's documents by id.
func (w *world) documents(ref surgical.EntityRef) map[string]content.Document {
	w.T.Helper()
	list, err := w.Content.Documents(w.T.Context(), ref)
	w.must(err)
	documents := map[string]content.Document{}
	for _, d := range list {
		documents[d.ID], err = w.Content.Document(w.T.Context(), ref, d.ID)
		w.must(err)
	}
	return documents
}

// settled checks that each document has current embeddings, whose vectors are
// all stored, and that nothing else is embedded.
func (w *world) settled(ref surgical.EntityRef) {
	w.T.Helper()
	documents := w.documents(ref)
	embedded, err := w.Content.Embedded(w.T.Context(), ref)
	w.must(err)
	head, err := w.Content.Head(w.T.Context(), ref)
	w.must(err)
	for id, document := range documents {
		embeddings, err := w.Content.Embeddings(w.T.Context(), ref, []string{id})
		w.must(err)
		if !embeddings[id].Current(head, document.Hash) {
			w.T.Errorf("document %s is not embedded as it is", id)
		}
		vectors, err := w.Content.Vectors(w.T.Context(), ref, id)
		w.must(err)
		for _, chunk := range embeddings[id].Chunks {
			if _, ok := vectors[chunk]; !ok {
				w.T.Errorf("document %s: no vector for chunk %s", id, chunk)
			}
		}
	}
	for id := range embedded {
		if _, ok := documents[id]; !ok {
			w.T.Errorf("something embeds %s, which is no document", id)
		}
	}
	if dirty := w.dirty(ref); dirty != 0 {
		w.T.Errorf("%d dirty sources are left", dirty)
	}
}

func (w *world) dirty(ref surgical.EntityRef) int {
	w.T.Helper()
	sources, err := w.Ledger.DirtySources(w.T.Context(), ref)
	w.must(err)
	return len(sources)
}

// discuss adds n discussions and returns their documents' ids.
func (w *world) discuss(ref surgical.EntityRef, n int) (ids []string) {
	for i := range n {
		ids = append(ids, "discussion#"+w.GitLab.AddDiscussion(ref, gitlab.Note{Body: fmt.Sprintf("Remark %d.", i)}))
	}
	return ids
}

// items are the entity's items whose sort keys begin with one of the prefixes.
func (w *world) items(ref surgical.EntityRef, prefixes ...string) (found []dynamo.Item) {
	w.T.Helper()
	out, err := w.DB.Scan(w.T.Context(), &dynamodb.ScanInput{TableName: &w.Tables.Content})
	w.must(err)
	for _, item := range out.Items {
		pk, sk := item["pk"].(*types.AttributeValueMemberS).Value, item["sk"].(*types.AttributeValueMemberS).Value
		if pk == "P#"+ref.Key() && slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(sk, prefix) }) {
			found = append(found, item)
		}
	}
	if len(found) == 0 {
		w.T.Fatalf("no items under %v", prefixes)
	}
	return found
}

// restore puts items back as they were, as if their removal had been broken off.
func (w *world) restore(items []dynamo.Item) {
	w.T.Helper()
	w.must(dynamo.PutAll(w.T.Context(), w.DB, w.Tables.Content, items))
}

// longText has so many paragraphs, each a chunk or more of its own.
func longText(paragraphs int, word string) string {
	var text strings.Builder
	for i := range paragraphs {
		fmt.Fprintf(&text, "%s\n\n", strings.Repeat(fmt.Sprintf("%s%d ", word, i), 300))
	}
	return text.String()
}

// batches is a budget with time for n batches of a run that goes on.
func batches(n int) *workflow.Budget {
	return &workflow.Budget{
		TimeLeft: func() bool { n--; return n >= 0 },
		MayGoOn:  func(context.Context) error { return nil },
	}
}

// place names a call by its operation and tables.
func place(call cloud.Call) string {
	tables := call.Tables()
	switch in := call.Input.(type) {
	case *dynamodb.GetItemInput:
		tables = append(tables, *in.TableName)
	case *dynamodb.QueryInput:
		tables = append(tables, *in.TableName)
	case *dynamodb.BatchGetItemInput:
		for table := range in.RequestItems {
			tables = append(tables, table)
		}
	}
	slices.SortFunc(tables, cmp.Compare)
	return call.Operation + " " + strings.Join(slices.Compact(tables), " ")
}
