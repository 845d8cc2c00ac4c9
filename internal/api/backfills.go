package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Passes is what the API needs of the passes over GitLab's lists.
type Passes interface {
	// StartBackfill stores the backfill of a project. If another one is running, that
	// one is returned. If it was started before and replaced since, the error is
	// [surgical.ErrReplaced].
	StartBackfill(ctx context.Context, p surgical.Pass) (surgical.Pass, error)
	// ChangePass changes a backfill; an unknown one is [surgical.CodeBackfillNotFound].
	ChangePass(ctx context.Context, projectID int64, id string, change func(surgical.Pass) (surgical.Pass, bool)) (surgical.Pass, error)
	// Pass reads the project's running or last pass of a kind.
	Pass(ctx context.Context, projectID int64, kind surgical.PassKind) (surgical.Pass, error)
	// PassesOf lists the running or last pass of the kind of every project.
	PassesOf(ctx context.Context, kind surgical.PassKind) ([]surgical.Pass, error)
	// PassFailures lists entities that a pass could not bring up to date.
	PassFailures(ctx context.Context, p surgical.Pass, limit int) ([]surgical.PassFailure, error)
	// SaveBackfillRequest stores a request for several backfills. If the id is taken, or
	// the row has changed, the error is [surgical.ErrMoved].
	SaveBackfillRequest(ctx context.Context, r surgical.BackfillRequest) (surgical.BackfillRequest, error)
	// BackfillRequest reads one; an unknown one is [surgical.CodeBackfillNotFound].
	BackfillRequest(ctx context.Context, id string) (surgical.BackfillRequest, error)
	// BackfillRequests lists all of them.
	BackfillRequests(ctx context.Context) ([]surgical.BackfillRequest, error)
	// RequestReconcile makes the project's next reconcile due now.
	RequestReconcile(ctx context.Context, projectID int64) (surgical.Pass, error)
}

type backfillInput struct {
	ID string `path:"id" minLength:"18" maxLength:"36" pattern:"^(0|[1-9][0-9]{0,15})-[a-z2-7]{16}$" patternDescription:"the id of a backfill" example:"1-6c5yq4wsxhqm3f2a" doc:"The backfill's id."`
}

type backfillOutput struct {
	Location string `header:"Location"`
	Body     BackfillView
}

func noBackfill() refusal {
	return refusalOf(surgical.CodeBackfillNotFound, "the backfill is unknown, or a later one of its project took its place")
}

func (s *server) addBackfills(to *routes) {
	op := operationOf(huma.Operation{
		OperationID: "start-backfill", Method: http.MethodPost, Path: "/v1/backfills", Tags: []string{"backfills"},
		Summary: "Copy everything that a project, a group or GitLab has",
		Description: "Starts a backfill, which runs without further calls: it lists all issues and merge requests, and fetches those whose copy is missing or not current. " +
			"It takes what GitLab's rate limit leaves, keeps a reserve for webhooks, and has at most " + strconv.Itoa(surgical.MaxOutstanding) + " runs queued or running.\n\n" +
			"A project has one backfill at a time: while it is running, another one is a conflict, and `detail` names the one that is running.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: surgical.MaxAPIBody,
	}, notAllowed(),
		refusal{http.StatusBadRequest, surgical.CodeInvalidRequest, "the body is missing or not JSON"},
		refusal{http.StatusUnsupportedMediaType, surgical.CodeInvalidRequest, "the body is not application/json"},
		refusalOf(surgical.CodePayloadTooLarge, "the body is longer than 64 KB"),
		refusalOf(surgical.CodeConflict, "another backfill of the project is running, the key was used for a different request, or a later backfill took the place of the one that it started"))
	op.responses = func(responses map[string]*huma.Response, schemas huma.Registry) {
		responses["202"] = leadToBackfill(described[BackfillView](schemas, "The backfill, or its current state if an earlier request with the key started it."))
	}
	to.add(op, handle(s.startBackfill))

	to.add(operationOf(huma.Operation{
		OperationID: "list-backfills", Method: http.MethodGet, Path: "/v1/backfills", Tags: []string{"backfills"},
		Summary: "List backfills", Description: "The running or last backfill of each project, and the requests for groups and for everything of the last 90 days, newest first.",
	}), handle(s.listBackfills))

	to.add(operationOf(huma.Operation{
		OperationID: "get-backfill", Method: http.MethodGet, Path: "/v1/backfills/{id}", Tags: []string{"backfills"},
		Summary: "Read a backfill", Description: "Its progress, why it is waiting, and the entities that it could not bring up to date.",
	}, noBackfill()), handle(s.getBackfill))

	to.add(operationOf(huma.Operation{
		OperationID: "cancel-backfill", Method: http.MethodPost, Path: "/v1/backfills/{id}/cancel", Tags: []string{"backfills"},
		Summary: "Cancel a backfill",
		Description: "No further runs are requested, and those that no worker has begun are cancelled. What was copied stays. " +
			"A request for a group cancels the backfills that no other request wants. Cancelling a cancelled backfill returns it unchanged.",
	}, noBackfill(), refusalOf(surgical.CodeConflict, "the backfill has already succeeded or failed")), handle(s.cancelBackfill))

	op = operationOf(huma.Operation{
		OperationID: "retry-backfill", Method: http.MethodPost, Path: "/v1/backfills/{id}/retry-failed", Tags: []string{"backfills"},
		Summary: "Resume a backfill and retry what failed",
		Description: "Fetches the entities that failed once more. A backfill that failed or was cancelled before all was listed goes on from its checkpoint; " +
			"if another version of Lorehook wrote that (`checkpoint_outdated`), a new backfill takes its place and lists everything again. A running backfill is returned unchanged.",
		DefaultStatus: http.StatusAccepted,
	}, noBackfill(), refusalOf(surgical.CodeConflict, "nothing failed, and nothing is left to list"))
	op.responses = func(responses map[string]*huma.Response, schemas huma.Registry) {
		responses["202"] = leadToBackfill(described[BackfillView](schemas, "The backfill."))
	}
	to.add(op, handle(s.retryBackfill))
}

// leadToBackfill adds to the response the header with the URL of its backfill, and the
// operations that accept it.
func leadToBackfill(answer *huma.Response) *huma.Response {
	answer.Headers = map[string]*huma.Param{"Location": {
		Description: "The URL of the backfill.", Schema: &huma.Schema{Type: huma.TypeString}, Example: backfillPath("1-6c5yq4wsxhqm3f2a"),
	}}
	answer.Links = map[string]*huma.Link{}
	for name, operation := range map[string]string{"read": "get-backfill", "cancel": "cancel-backfill", "retry": "retry-backfill"} {
		answer.Links[name] = &huma.Link{OperationID: operation, Parameters: map[string]any{"id": "$response.body#/id"}}
	}
	return answer
}

func backfillPath(id string) string { return "/v1/backfills/" + id }

// crawl starts the crawler, so that a request does not wait for its schedule. If that
// fails, the schedule starts it within a minute.
func (s *server) crawl(ctx context.Context) {
	if s.Crawl == nil {
		return
	}
	if err := s.Crawl(ctx); err != nil {
		s.Log.WarnContext(ctx, "crawler_not_started", "error", err.Error())
	}
}

// passMoved is the error after losing every race for the row of a pass.
func passMoved(what string) error {
	e := surgical.NewError(surgical.CodeConflict, what+" changed in the meantime; try again")
	e.Retryable, e.Action, e.RetryAfter = true, surgical.ActionRetryAfter, time.Second
	return e
}

func (s *server) listBackfills(ctx context.Context, _ *struct{}) (*answer[BackfillList], error) {
	requests, err := s.Passes.BackfillRequests(ctx)
	if err != nil {
		return nil, err
	}
	passes, err := s.Passes.PassesOf(ctx, surgical.PassBackfill)
	if err != nil {
		return nil, err
	}
	list := BackfillList{Backfills: []BackfillView{}}
	for _, r := range requests {
		list.Backfills = append(list.Backfills, viewOfRequest(r, passes))
	}
	for _, p := range passes {
		if s.Allows(p.ProjectID) {
			list.Backfills = append(list.Backfills, viewOfPass(p))
		}
	}
	slices.SortFunc(list.Backfills, func(a, b BackfillView) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return &answer[BackfillList]{list}, s.nameProjects(ctx, list.Backfills)
}

func (s *server) getBackfill(ctx context.Context, in *backfillInput) (*answer[BackfillView], error) {
	p, r, err := s.backfill(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if r != nil {
		view, err := s.requestView(ctx, *r)
		return &answer[BackfillView]{view}, err
	}
	view, err := s.passView(ctx, p)
	return &answer[BackfillView]{view}, err
}

// backfill reads the backfill with the id: a pass, or a request for several.
func (s *server) backfill(ctx context.Context, id string) (surgical.Pass, *surgical.BackfillRequest, error) {
	projectID, err := surgical.ParsePassID(id)
	if err != nil {
		return surgical.Pass{}, nil, invalid("path.id", id, "expected the id of a backfill")
	}
	if projectID == 0 {
		r, err := s.Passes.BackfillRequest(ctx, id)
		return surgical.Pass{}, &r, err
	}
	p, err := s.Passes.Pass(ctx, projectID, surgical.PassBackfill)
	if err == nil && (p.ID != id || !s.Allows(projectID)) {
		err = surgical.NewError(surgical.CodeBackfillNotFound, "there is no backfill "+id+", or a later one of project "+strconv.FormatInt(projectID, 10)+" took its place")
	}
	return p, nil, err
}

func (s *server) saveRequest(ctx context.Context, r surgical.BackfillRequest) (surgical.BackfillRequest, error) {
	saved, err := s.Passes.SaveBackfillRequest(ctx, r)
	if errors.Is(err, surgical.ErrMoved) {
		err = passMoved("backfill " + r.ID)
	}
	return saved, err
}

// wantedBy lists the backfills that the request wants.
func (s *server) wantedBy(ctx context.Context, id string) ([]surgical.Pass, error) {
	passes, err := s.Passes.PassesOf(ctx, surgical.PassBackfill)
	return slices.DeleteFunc(passes, func(p surgical.Pass) bool { return !p.Wants(id) }), err
}
