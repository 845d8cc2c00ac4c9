package surgical

import (
	"context"
	"time"
)

// freshness reports the run that already covers the message's event, so that it
// needs no request to GitLab, or how long a webhook's refetch has to wait.
func (p *Processor) freshness(ctx context.Context, msg Message, run Run) (covering string, wait time.Duration, err error) {
	if !mayCoalesce(msg, run) {
		return "", 0, nil
	}
	head, err := p.Heads.Head(ctx, run.Refs()[0])
	if err != nil || !head.Exists() {
		return "", 0, err
	}
	webhook := run.Origin == OriginWebhook
	switch {
	case head.Covers(run.EventAt) && webhook:
		return head.RunID, 0, nil
	case head.Covers(run.EventAt):
		covering, err = p.doingTheSame(ctx, head.RunID, run.Options)
		return covering, 0, err
	case webhook:
		return "", head.FetchedAt.Add(refetchInterval).Sub(p.Clock()), nil
	}
	return "", 0, nil
}

// mayCoalesce reports whether the run may end as covered by another's fetch: a
// webhook's always, another one's if a message before it in its batch brought
// the fetch. A preflight has to look for itself, a drain fetches nothing, and a
// retry has to do what was left undone.
func mayCoalesce(msg Message, run Run) bool {
	if len(run.Targets) != 1 || run.Options.PreflightOnly || run.Origin == OriginDrain {
		return false
	}
	return run.Origin == OriginWebhook || msg.SharesFetch && run.RetryOf == ""
}

// doingTheSame returns the id of the run if its options are these: else it does
// not do for documents and embeddings what is asked for.
func (p *Processor) doingTheSame(ctx context.Context, runID string, options Options) (string, error) {
	run, err := p.Ledger.Run(ctx, runID)
	if CodeOf(err) == CodeRunNotFound || err == nil && run.Options != options {
		return "", nil
	}
	return run.RunID, err
}
