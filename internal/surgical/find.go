package surgical

import (
	"context"
	"slices"
)

// find returns the run that the message asks for: the one of its own id, or
// the last of the chain that retries it. A run that nobody has seen yet has a
// zero Status. Another delivery of a webhook whose run failed or was cancelled
// begins a retry; a redelivery of the same message never does.
func (p *Processor) find(ctx context.Context, msg Message) (Run, error) {
	run, err := p.Ledger.Run(ctx, msg.RunID)
	if CodeOf(err) == CodeRunNotFound {
		return Run{Request: msg.Request}, nil
	}
	for err == nil && !slices.Contains(run.MessageIDs, msg.ID) && run.RetriedBy != "" {
		run, err = p.Ledger.Run(ctx, run.RetriedBy)
	}
	if err != nil {
		return run, err
	}
	unsuccessful := run.Status == StatusFailed || run.Status == StatusCancelled
	if !unsuccessful || msg.Origin != OriginWebhook || slices.Contains(run.MessageIDs, msg.ID) {
		return run, nil
	}
	retry := msg.Request
	retry.Origin, retry.RetryOf, retry.RunID = OriginRetry, run.RunID, RunID(OriginRetry, run.RunID)
	return p.Ledger.Retry(ctx, run, retry, msg.ID)
}
