package invariants_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/config"
	"gitlab.com/lorehook/lorehook/internal/devstack/enginetest"
	"gitlab.com/lorehook/lorehook/internal/pipelinetest"
)

// errLost is an answer that did not come, whatever became of the request.
var errLost = errors.New("injected: the connection broke")

// faults lets a test react to single calls to DynamoDB.
type faults struct {
	tables config.Tables

	mu    sync.Mutex
	armed []*fault
	calls []pipelinetest.Call
}

type fault struct {
	when func(pipelinetest.Call) bool
	do   func(ctx context.Context, send func() error) error
}

// onFaulty runs the test on every engine, in a world whose calls to DynamoDB
// pass through faults.
func onFaulty(t *testing.T, test func(t *testing.T, w *pipelinetest.World, f *faults)) {
	t.Helper()
	enginetest.Run(t, func(t *testing.T, e enginetest.Engine) {
		f := &faults{tables: e.Tables}
		test(t, pipelinetest.New(t, pipelinetest.Intercept(e.DynamoDB, f.around), e.Tables), f)
	})
}

// next arms one reaction: the next call that when picks goes through do.
func (f *faults) next(when func(pipelinetest.Call) bool, do func(ctx context.Context, send func() error) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = append(f.armed, &fault{when, do})
}

func (f *faults) around(ctx context.Context, call pipelinetest.Call, send func() error) error {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	var hit *fault
	if i := slices.IndexFunc(f.armed, func(a *fault) bool { return a.when(call) }); i >= 0 {
		hit = f.armed[i]
		f.armed = slices.Delete(f.armed, i, i+1)
	}
	f.mu.Unlock()
	if hit == nil {
		return send()
	}
	return hit.do(ctx, send)
}

// disarmed fails the test if a reaction was armed in vain.
func (f *faults) disarmed(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.armed) > 0 {
		t.Errorf("%d faults met no call: the test shows nothing", len(f.armed))
	}
}

// writes counts the calls since the last look that wrote to the table.
func (f *faults) writes(table string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, call := range f.calls {
		if call.Writes() && slices.Contains(call.Tables(), table) {
			n++
		}
	}
	return n
}

// forget begins a new count.
func (f *faults) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

// isCommit picks the transaction that puts heads and marks the run.
func (f *faults) isCommit(call pipelinetest.Call) bool {
	return call.Operation == "TransactWriteItems" &&
		slices.Contains(call.Tables(), f.tables.Content) && slices.Contains(call.Tables(), f.tables.SyncRuns)
}

// isStaging picks the batches of children.
func (f *faults) isStaging(call pipelinetest.Call) bool {
	return call.Operation == "BatchWriteItem" && slices.Contains(call.Tables(), f.tables.Content)
}

// isClosing picks the transaction that makes a run terminal.
func (f *faults) isClosing(call pipelinetest.Call) bool {
	return call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), f.tables.SyncRunEntities)
}

// isJobTransaction picks the transaction that finishes a job.
func (f *faults) isJobTransaction(call pipelinetest.Call) bool {
	return call.Operation == "TransactWriteItems" && slices.Contains(call.Tables(), f.tables.DependentQueue) &&
		!f.isCommit(call) && !f.isClosing(call)
}

// loseAnswer applies the call and reports a failure.
func loseAnswer(_ context.Context, send func() error) error { return errors.Join(send(), errLost) }

// fail reports the error without applying the call.
func fail(err error) func(context.Context, func() error) error {
	return func(context.Context, func() error) error { return err }
}

// before does something else before the call is applied.
func before(do func()) func(context.Context, func() error) error {
	return func(_ context.Context, send func() error) error {
		do()
		return send()
	}
}

// cancelled is the cancellation of a transaction of so many items for one reason.
func cancelled(items int, code string) error {
	reasons := make([]types.CancellationReason, items)
	for i := range reasons {
		reasons[i].Code = aws.String("None")
	}
	reasons[0].Code = &code
	return &types.TransactionCanceledException{Message: aws.String("Transaction cancelled"), CancellationReasons: reasons}
}

// dropping is a transport that breaks the connection after a request was
// applied, so that the SDK itself sends it again.
type dropping struct {
	dynamodb.HTTPClient

	mu   sync.Mutex
	drop func(operation, body string) bool
}

func (d *dropping) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	resp, err := d.HTTPClient.Do(req)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && d.drop != nil && d.drop(operation, string(body)) {
		d.drop = nil
		return nil, errors.Join(resp.Body.Close(), syscall.ECONNRESET)
	}
	return resp, err
}

// onDropping runs the test on every engine, in a world with such a transport.
func onDropping(t *testing.T, test func(t *testing.T, w *pipelinetest.World, d *dropping)) {
	t.Helper()
	enginetest.Run(t, func(t *testing.T, e enginetest.Engine) {
		options := e.DynamoDB.Options()
		d := &dropping{HTTPClient: options.HTTPClient}
		options.HTTPClient = d
		test(t, pipelinetest.New(t, dynamodb.New(options), e.Tables), d)
	})
}
