package worker

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// hide carries out a hide request: without a run, before any pause, and without a
// request to GitLab. One transaction hides the head and makes the follow-up pending
// that brings it back. It can be repeated: a request that comes late, or twice, hides
// nothing that a later fetch confirmed.
func (e *Engine) hide(ctx context.Context, msg Message) Verdict {
	run := surgical.Run{Request: msg.Request}
	if !e.Allows(msg.ProjectID) {
		return Done{}
	}
	var err error
	for range surgical.MaxAttempts {
		var hides bool
		switch hides, err = e.tryHide(ctx, msg.Request); {
		case err == nil && hides:
			e.log(ctx, run, "hidden")
			return Done{}
		case err == nil:
			e.log(ctx, run, "hide_request_late")
			return Done{}
		case !dynamo.Contended(err):
			return e.unknown(err)
		}
	}
	return e.unknown(err)
}

// tryHide reports whether the entity is hidden now.
func (e *Engine) tryHide(ctx context.Context, req surgical.Request) (hides bool, err error) {
	head, err := e.Content.Head(ctx, req.Refs()[0])
	if err != nil {
		return false, err
	}
	since, hides := head.HiddenFrom(req.EventAt)
	if !hides {
		return false, nil
	}
	hide, err := e.Content.Hide(head, since)
	if err != nil {
		return false, err
	}
	next, err := e.Ledger.AddFollowUp(ctx, surgical.AttemptID{RunID: req.RunID}, req.Hidden(e.Clock()))
	if err != nil {
		return false, err
	}
	return true, dynamo.Transact(ctx, e.DB, []types.TransactWriteItem{hide, next})
}
