package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

type startInput struct {
	Key  string `header:"Idempotency-Key" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" patternDescription:"1 to 128 printable ASCII characters without spaces" example:"nightly-2026-05-28" doc:"Repeated requests with the same key create one run. Without a key, every request creates its own run."`
	Body SyncRequest
}

// Resolve implements [huma.Resolver]. An empty key is a client's mistake; it
// does not count as absent.
func (in *startInput) Resolve(ctx huma.Context) (errs []error) {
	errs = emptyKey(ctx)
	errs = append(errs, ambiguous(in.Body.raw, reflect.TypeFor[SyncRequest]())...)
	if len(errs) > 0 || in.Body.raw == nil {
		return errs
	}
	return in.Body.contradictions()
}

// emptyKey rejects an empty Idempotency-Key.
func emptyKey(ctx huma.Context) (errs []error) {
	ctx.EachHeader(func(name, value string) {
		if name == keyHeader && value == "" {
			errs = append(errs, &huma.ErrorDetail{Location: "header." + keyHeader, Message: "expected length >= 1", Value: value})
		}
	})
	return errs
}

type startOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

// OtherSuccess is the status under which the description has the less common success of
// an operation with two. A generated client says in its types only what the smallest status
// returns, and 200 would be smaller than 202.
const OtherSuccess = "2XX"

func (s *server) addControl(to *routes) {
	op := operationOf(huma.Operation{
		OperationID: "start-sync-run", Method: http.MethodPost, Path: "/v1/sync-runs", Tags: []string{"runs"},
		Summary: "Bring entities up to date",
		Description: "Accepts a run of 1 to 25 entities of one project. All of them become visible together, or none do.\n\n" +
			"Sending the same request again with its Idempotency-Key returns the current state of the same run; a different request with that key is a conflict.\n\n" +
			"With `dry_run` the response is the plan: nothing is fetched, sent or written, and the key stays unused. " +
			"With `preflight_only` the run fetches every target, reports what it found or why the fetch failed, and writes no content.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: surgical.MaxAPIBody,
	}, notAllowed(), noProject(), noQueue(),
		refusal{http.StatusBadRequest, surgical.CodeInvalidRequest, "the body is missing or not JSON"},
		refusal{http.StatusUnsupportedMediaType, surgical.CodeInvalidRequest, "the body is not application/json"},
		refusalOf(surgical.CodePayloadTooLarge, "the body is longer than 64 KB"),
		refusalOf(surgical.CodeConflict, "the key was used for a different request; `detail` names its run"))
	op.responses = func(responses map[string]*huma.Response, schemas huma.Registry) {
		responses["202"] = leadToRun(described[RunSummary](schemas, "The queued run, or the current state of the run that an earlier request created."))
		responses[OtherSuccess] = described[PlanView](schemas, "200: the plan of a dry_run.")
	}
	to.add(op, handle(s.start))

	op = operationOf(huma.Operation{
		OperationID: "retry-sync-run", Method: http.MethodPost, Path: "/v1/sync-runs/{run_id}/retry-failed", Tags: []string{"runs"},
		Summary: "Retry what failed",
		Description: "Creates one run for the targets of a failed or cancelled run that can still succeed and those whose documents or embeddings were left undone. " +
			"A target that GitLab does not have is left out. Repeating the call returns the same run.",
		DefaultStatus: http.StatusAccepted,
	}, notAllowed(), noRun(), noQueue(), refusalOf(surgical.CodeConflict, "the run neither failed nor was cancelled, or none of its targets can succeed"))
	op.responses = func(responses map[string]*huma.Response, schemas huma.Registry) {
		responses["202"] = leadToRun(described[RunSummary](schemas, "The current state of the run that retries."))
	}
	to.add(op, handle(s.retryFailed))

	to.add(operationOf(huma.Operation{
		OperationID: "cancel-sync-run", Method: http.MethodPost, Path: "/v1/sync-runs/{run_id}/cancel", Tags: []string{"runs"},
		Summary: "Cancel a run",
		Description: "A queued run never starts; a running one stops before its commit, or before its next batch of documents, and its jobs are aborted. What it committed stays. " +
			"Cancelling a cancelled run returns it unchanged.",
	}, notAllowed(), noRun(), refusalOf(surgical.CodeConflict, "the run has already succeeded or failed")), handle(s.cancel))
}

func (s *server) start(ctx context.Context, in *startInput) (*startOutput, error) {
	req, err := s.request(ctx, in)
	if err != nil {
		return nil, err
	}
	req.TraceParent, _ = trace.From(ctx)
	if req.Options.DryRun {
		plan, err := s.plan(ctx, req, in.Key != "")
		return &startOutput{Status: http.StatusOK, Body: plan}, err
	}
	run, err := s.Runs.Queue(ctx, req)
	if errors.Is(err, surgical.ErrMoved) {
		run, err = s.repeated(ctx, req)
	}
	if err != nil {
		return nil, err
	}
	return s.accepted(ctx, run)
}

// request is the request in the body. Its targets are sorted, so that the same
// set of entities is the same request.
func (s *server) request(ctx context.Context, in *startInput) (surgical.Request, error) {
	key := in.Key
	if key == "" {
		key = s.NewKey()
	}
	body := in.Body
	req := surgical.Request{
		RunID: surgical.RunID(surgical.OriginManual, key), ProjectID: body.ProjectID, Origin: surgical.OriginManual,
		EventAt: s.Clock(), IdempotencyKey: key,
		Options: surgical.Options{PreflightOnly: body.PreflightOnly, DryRun: body.DryRun, NoDocs: body.NoDocs, NoEmbed: body.NoEmbed},
	}
	for _, iid := range body.Issues {
		req.Targets = append(req.Targets, surgical.Target{Type: surgical.Issue, IID: iid})
	}
	for _, iid := range body.MergeRequests {
		req.Targets = append(req.Targets, surgical.Target{Type: surgical.MergeRequest, IID: iid})
	}
	slices.SortFunc(req.Targets, surgical.Target.Compare)
	var err error
	if body.Project != "" {
		req.ProjectID, err = s.project(ctx, "body.project", body.Project)
	} else {
		err = s.allowed(req.ProjectID)
	}
	if err != nil {
		return req, err
	}
	return req, req.Validate()
}

// repeated returns the run that an earlier request created with the same key.
func (s *server) repeated(ctx context.Context, req surgical.Request) (surgical.Run, error) {
	run, err := s.Runs.Run(ctx, req.RunID)
	if err == nil && !same(run.Request, req) {
		err = surgical.NewError(surgical.CodeConflict, "the Idempotency-Key was used for a different request, run "+run.RunID)
	}
	return run, err
}

// same reports whether two requests ask for the same.
func same(a, b surgical.Request) bool {
	return a.SameEntities(b) && a.Options == b.Options
}

// accepted sends the message of a waiting run on every request: an earlier one
// may have written the row without sending it.
func (s *server) accepted(ctx context.Context, run surgical.Run) (*startOutput, error) {
	noteRun(ctx, run.RunID)
	if run.Status == surgical.StatusQueued {
		if err := s.Queue.Send(ctx, run.Request); err != nil {
			return nil, withRun(err, run)
		}
	}
	return &startOutput{Status: http.StatusAccepted, Location: "/v1/sync-runs/" + run.RunID, Body: summaryOf(run)}, nil
}

// withRun names the run that a failure left queued.
func withRun(err error, run surgical.Run) error {
	p := problemOf(err)
	p.RunID = run.RunID
	return p
}
