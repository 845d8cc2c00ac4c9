package invariants_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	"gitlab.com/lorehook/lorehook/test/faults"
)

func TestAStageThatCannotGiveItsJobBackAtOnceIsGoneOnWithByTheNextTry(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		updates := 0
		w := cloud.NewWorld(t, cloud.Intercept(e.DynamoDB, func(ctx context.Context, call cloud.Call, send func() error) error {
			if call.Operation == "UpdateItem" && slices.Contains(call.Tables(), e.Tables.DependentQueue) {
				if updates++; updates == 2 { // the first one claims the job
					return faults.ServerError.Do(ctx, call, send)
				}
			}
			return send()
		}), e.Tables)
		w.Docs.Work = hurried{w.Docs.Work}
		req := w.Request(surgical.OriginManual, many(t, w, 60))
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		in := workflow.Input{RunID: req.RunID, Generation: 1}
		var transient workflow.Transient
		if _, err := w.Docs.Handle(t.Context(), in); !errors.As(err, &transient) {
			t.Fatalf("the first try: %v", err)
		}
		if result, err := w.Docs.Handle(t.Context(), in); err != nil || result.Outcome == workflow.Yielded {
			t.Errorf("the second try: %+v, error %v", result, err)
		}
	})
}
