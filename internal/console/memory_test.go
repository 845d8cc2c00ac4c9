package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/engines"
	"gitlab.com/lorehook/lorehook/test/memory"
)

// widgetInput is what a widget in a process of its own needs.
type widgetInput struct {
	Endpoint string
	Tables   config.Tables
	Now      time.Time
}

// showOverview shows the overview ten times.
func showOverview(ctx context.Context, raw json.RawMessage) error {
	var in widgetInput
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	clock := func() time.Time { return in.Now }
	widget, err := console.NewWidget(ledger.New(devstack.DynamoDB(in.Endpoint), in.Tables, clock), func(int64) bool { return true }, clock, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	for range 10 {
		html, err := widget.Handle(ctx, json.RawMessage(`{}`))
		if err != nil {
			return err
		}
		if !strings.Contains(html, "too large for a widget") {
			return fmt.Errorf("the overview has no failed run: %.3000s", html)
		}
	}
	return nil
}

// The ledger has more runs of each status than the widget counts open ones, with as many
// targets, and failures of them, as a run may have; fewer runs unless make memory runs this.
func TestWidget_StaysWithinItsMemoryWithTheLargestRuns(t *testing.T) {
	engines.RunOnDynamoDBLocal(t, func(t *testing.T, e engines.Engine) {
		now := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
		rows := ledger.New(e.DynamoDB, e.Tables, func() time.Time { return now })
		runs := 20
		if memory.Full() {
			runs = 400
		}
		for n := range runs {
			req := surgical.Request{RunID: fmt.Sprintf("m%d", n), ProjectID: 1, Origin: surgical.OriginManual, IdempotencyKey: fmt.Sprint(n), EventAt: now}
			failure := surgical.NewError(surgical.CodeRunCancelled, strings.Repeat("too large for a widget ", 40))
			for iid := range int64(surgical.MaxTargets) {
				target := surgical.Target{Type: surgical.Issue, IID: iid + 1}
				req.Targets = append(req.Targets, target)
				failure.Failures = append(failure.Failures, surgical.TargetFailure{Target: target, Code: failure.Code, Message: failure.Message, Action: failure.Action})
			}
			run, err := rows.Queue(t.Context(), req)
			if err == nil && n%2 == 0 {
				_, err = rows.Close(t.Context(), run, surgical.Cancelled{Error: failure})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		memory.Within(t, "widget", surgical.SmallMemory, widgetInput{*e.AWS.BaseEndpoint, e.Tables, now})
	})
}
