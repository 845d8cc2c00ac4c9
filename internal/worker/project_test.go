package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// named changes the project's path in what GitLab says of issue 7.
func (w *world) named(path string) {
	w.GitLab.EditIssue(issue7, func(i *fakegitlab.Issue) { i.References.Full = path + "#7" })
	w.Clock.Advance(time.Minute)
}

// path is the recorded path.
func (w *world) path() string {
	w.T.Helper()
	p, err := w.Ledger.Project(w.T.Context(), issue7.ProjectID)
	if err != nil {
		w.T.Fatal(err)
	}
	return p.Path
}

func TestProcess_RecordsTheProjectsPathOnlyWhenItChanged(t *testing.T) {
	w := newWorld(t)
	var names int
	w.around = func(_ context.Context, call cloud.Call, send func() error) error {
		if in, ok := call.Input.(*dynamodb.TransactWriteItemsInput); ok && in.TransactItems[0].Update != nil && *in.TransactItems[0].Update.TableName == w.Tables.Projects {
			names++
		}
		return send()
	}
	for _, c := range []struct {
		path  string
		names int // so far
	}{
		{fakegitlab.ProjectPath, 1}, {fakegitlab.ProjectPath, 1}, {"demo/Renamed", 2}, {"demo/Renamed", 2}, {fakegitlab.ProjectPath, 3},
	} {
		w.named(c.path)
		want(t, w.deliver(w.Request(surgical.OriginWebhook, issue7)), worker.Done{})
		if got := w.path(); got != c.path || names != c.names {
			t.Errorf("the path is %q after %d writes, want %q after %d", got, names, c.path, c.names)
		}
	}
	w.named("not a path")
	want(t, w.deliver(w.Request(surgical.OriginWebhook, issue7)), worker.Done{})
	if got := w.path(); got != fakegitlab.ProjectPath || names != 3 {
		t.Errorf("without a path: %q after %d writes", got, names)
	}
}

func TestProcess_NoRunWaitsForTheProjectsPath(t *testing.T) {
	w := newWorld(t)
	w.around = func(ctx context.Context, call cloud.Call, send func() error) error {
		in, ok := call.Input.(*dynamodb.TransactWriteItemsInput)
		if !ok || in.TransactItems[0].Update == nil || *in.TransactItems[0].Update.TableName != w.Tables.Projects {
			return send()
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > surgical.NameProjectTimeout {
			t.Errorf("the write may take until %v", deadline)
		}
		return errors.New("broken")
	}
	req := w.Request(surgical.OriginWebhook, issue7)
	want(t, w.deliver(req), worker.Done{})
	if run := w.Run(req.RunID); !run.Committed() || w.launches != 1 || w.path() != "" {
		t.Errorf("run %+v after %d launches, path %q", run, w.launches, w.path())
	}
	w.around = nil
	w.Clock.Advance(time.Minute)
	want(t, w.deliver(w.Request(surgical.OriginWebhook, issue7)), worker.Done{})
	if w.path() != fakegitlab.ProjectPath {
		t.Errorf("after the next run the path is %q", w.path())
	}
}

func TestProcess_ReadsTheProjectWithWhatItReadsAnyway(t *testing.T) {
	w := newWorld(t)
	w.deliver(w.Request(surgical.OriginWebhook, issue7))
	var calls []string
	w.around = func(_ context.Context, call cloud.Call, send func() error) error {
		calls = append(calls, call.Operation)
		return send()
	}
	w.Clock.Advance(time.Minute)
	w.deliver(w.Request(surgical.OriginWebhook, issue7)) // nothing changed
	if diff := cmp.Diff([]string{"BatchGetItem", "PutItem", "UpdateItem", "TransactWriteItems", "TransactWriteItems"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
