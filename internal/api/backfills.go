package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Passes is what the API needs of the passes over GitLab's lists.
type Passes interface {
	// StartBackfill stores the backfill of a project. If another one is running, that
	// one is returned.
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

// maxFailures is how many failures of a backfill one response lists.
const maxFailures = 100

// BackfillBody is what to copy.
type BackfillBody struct {
	Project projectRef `json:"project,omitempty" example:"group/project" doc:"GitLab's id of the project, or its path. A path that is not known yet is looked up in GitLab."`
	Group   string     `json:"group,omitempty" minLength:"1" maxLength:"1000" pattern:"^[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*$" patternDescription:"the id of a group, or its path such as group/subgroup" example:"group/subgroup" doc:"The id or path of a group: all of its projects, and those of its subgroups, that are on the allow list."`
	All     bool       `json:"all,omitempty" doc:"Every project on the allow list that the access token is a member of."`

	raw []byte
}

// UnmarshalJSON implements [json.Unmarshaler]; it keeps the text for [ambiguous].
func (b *BackfillBody) UnmarshalJSON(raw []byte) error {
	type plain BackfillBody
	return unmarshalKeeping(raw, (*plain)(b), &b.raw)
}

type startBackfillInput struct {
	Key  string `header:"Idempotency-Key" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" patternDescription:"1 to 128 printable ASCII characters without spaces" example:"first-import" doc:"Repeated requests with the same key start one backfill. Without a key, every request starts its own."`
	Body BackfillBody
}

// Resolve implements [huma.Resolver].
func (in *startBackfillInput) Resolve(ctx huma.Context) (errs []error) {
	errs = emptyKey(ctx)
	errs = append(errs, ambiguous(in.Body.raw, reflect.TypeFor[BackfillBody]())...)
	if len(errs) > 0 || in.Body.raw == nil {
		return errs
	}
	named := 0
	for _, given := range []bool{in.Body.Project != "", in.Body.Group != "", in.Body.All} {
		if given {
			named++
		}
	}
	if named != 1 {
		errs = append(errs, &huma.ErrorDetail{Location: "body.project", Message: "expected exactly one of project, group, and all with true", Value: in.Body.Project})
	}
	return errs
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

func (s *server) registerBackfills(api huma.API) {
	op := s.operation(huma.Operation{
		OperationID: "start-backfill", Method: http.MethodPost, Path: "/v1/backfills", Tags: []string{"passes"},
		Summary: "Copy everything that a project, a group or GitLab has",
		Description: "Starts a backfill, which runs without further calls: it lists all issues and merge requests, and fetches those whose copy is missing or not current. " +
			"It takes what GitLab's rate limit leaves, keeps a reserve for webhooks, and has at most " + strconv.Itoa(surgical.MaxOutstanding) + " runs queued or running.\n\n" +
			"A project has one backfill at a time: while it is running, another one is a conflict, and `detail` names the one that is running.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: surgical.MaxAPIBody,
	}, notAllowed(),
		refusal{http.StatusBadRequest, surgical.CodeInvalidRequest, "the body is missing or not JSON"},
		refusal{http.StatusUnsupportedMediaType, surgical.CodeInvalidRequest, "the body is not application/json"},
		refusalOf(surgical.CodePayloadTooLarge, "the body is longer than 64 KB"),
		refusalOf(surgical.CodeConflict, "another backfill of the project is running, or the key was used for a different request"))
	op.Responses["202"] = s.described("The backfill, or its current state if an earlier request with the key started it.", reflect.TypeFor[BackfillView]())
	huma.Register(api, op, handle(s.startBackfill))
	leadToBackfill(op.Responses["202"])

	huma.Register(api, s.operation(huma.Operation{
		OperationID: "list-backfills", Method: http.MethodGet, Path: "/v1/backfills", Tags: []string{"passes"},
		Summary: "List backfills", Description: "The running or last backfill of each project, and the requests for groups and for everything of the last 90 days, newest first.",
	}), handle(s.listBackfills))

	huma.Register(api, s.operation(huma.Operation{
		OperationID: "get-backfill", Method: http.MethodGet, Path: "/v1/backfills/{id}", Tags: []string{"passes"},
		Summary: "Read a backfill", Description: "Its progress, why it is waiting, and the entities that it could not bring up to date.",
	}, noBackfill()), handle(s.getBackfill))

	huma.Register(api, s.operation(huma.Operation{
		OperationID: "cancel-backfill", Method: http.MethodPost, Path: "/v1/backfills/{id}/cancel", Tags: []string{"passes"},
		Summary: "Cancel a backfill",
		Description: "No further runs are requested, and those that no worker has begun are cancelled. What was copied stays. " +
			"A request for a group cancels the backfills that no other request wants. Cancelling a cancelled backfill returns it unchanged.",
	}, noBackfill(), refusalOf(surgical.CodeConflict, "the backfill has already succeeded or failed")), handle(s.cancelBackfill))

	op = s.operation(huma.Operation{
		OperationID: "retry-backfill", Method: http.MethodPost, Path: "/v1/backfills/{id}/retry-failed", Tags: []string{"passes"},
		Summary: "Resume a backfill and retry what failed",
		Description: "Fetches the entities that failed once more. A backfill that failed or was cancelled before all was listed goes on from its checkpoint; " +
			"if another version of Lorehook wrote that (`checkpoint_outdated`), a new backfill takes its place and lists everything again. A running backfill is returned unchanged.",
		DefaultStatus: http.StatusAccepted,
	}, noBackfill(), refusalOf(surgical.CodeConflict, "nothing failed, and nothing is left to list"))
	op.Responses["202"] = s.described("The backfill.", reflect.TypeFor[BackfillView]())
	huma.Register(api, op, handle(s.retryBackfill))
	leadToBackfill(op.Responses["202"])
}

// leadToBackfill describes the header with the URL of the response's backfill, and the
// operations that accept it.
func leadToBackfill(answer *huma.Response) {
	answer.Headers = map[string]*huma.Param{"Location": {
		Description: "The URL of the backfill.", Schema: &huma.Schema{Type: huma.TypeString}, Example: backfillPath("1-6c5yq4wsxhqm3f2a"),
	}}
	answer.Links = map[string]*huma.Link{}
	for name, operation := range map[string]string{"read": "get-backfill", "cancel": "cancel-backfill", "retry": "retry-backfill"} {
		answer.Links[name] = &huma.Link{OperationID: operation, Parameters: map[string]any{"id": "$response.body#/id"}}
	}
}

func (s *server) startBackfill(ctx context.Context, in *startBackfillInput) (*backfillOutput, error) {
	key := in.Key
	if key == "" {
		key = s.NewKey()
	}
	now := s.Clock()
	if in.Body.Project != "" {
		id, err := s.project(ctx, "body.project", in.Body.Project)
		switch {
		case err == nil:
			return s.startOfProject(ctx, id, key, now)
		case surgical.CodeOf(err) != surgical.CodeProjectUnknown:
			return nil, err
		}
		// Only GitLab can know the path: the crawler looks it up.
	}
	r := surgical.BackfillRequest{
		ID:     surgical.NewPassID(0, surgical.PassBackfill, key),
		Scope:  surgical.BackfillScope{Project: string(in.Body.Project), Group: in.Body.Group, All: in.Body.All},
		Status: surgical.StatusRunning, CreatedAt: now, DueAt: now,
	}
	stored, err := s.Passes.SaveBackfillRequest(ctx, r)
	if errors.Is(err, surgical.ErrMoved) {
		stored, err = s.Passes.BackfillRequest(ctx, r.ID)
		if err == nil && stored.Scope != r.Scope {
			err = surgical.NewError(surgical.CodeConflict, "the Idempotency-Key was used for a different request, backfill "+r.ID)
		}
	}
	if err != nil {
		return nil, err
	}
	s.crawl(ctx)
	view, err := s.requestView(ctx, stored)
	return &backfillOutput{Location: backfillPath(stored.ID), Body: view}, err
}

func (s *server) startOfProject(ctx context.Context, projectID int64, key string, now time.Time) (*backfillOutput, error) {
	id := surgical.NewPassID(projectID, surgical.PassBackfill, key)
	p, err := s.Passes.StartBackfill(ctx, surgical.NewBackfill(projectID, id, id, now))
	switch {
	case errors.Is(err, surgical.ErrMoved):
		return nil, passMoved("backfill " + id)
	case err != nil:
		return nil, err
	case p.ID != id:
		return nil, surgical.NewError(surgical.CodeConflict, fmt.Sprintf("backfill %s of project %d is running", p.ID, projectID))
	}
	s.crawl(ctx)
	view, err := s.passView(ctx, p)
	return &backfillOutput{Location: backfillPath(id), Body: view}, err
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
	return &answer[BackfillList]{list}, nil
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

func (s *server) cancelBackfill(ctx context.Context, in *backfillInput) (*answer[BackfillView], error) {
	p, r, err := s.backfill(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return s.cancelRequest(ctx, *r)
	}
	p, err = s.cancelPass(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	if p.Status != surgical.StatusCancelled {
		return nil, surgical.NewError(surgical.CodeConflict, fmt.Sprintf("backfill %s can no longer be cancelled; its status is %s", in.ID, p.Status))
	}
	s.crawl(ctx)
	view, err := s.passView(ctx, p)
	return &answer[BackfillView]{view}, err
}

// cancelPass cancels the pass if nobody but the request with the id wants it, or if
// that is the pass itself. Otherwise only that request no longer wants it.
func (s *server) cancelPass(ctx context.Context, p surgical.Pass, wanted string) (surgical.Pass, error) {
	id, now := p.ID, s.Clock()
	p, err := s.Passes.ChangePass(ctx, p.ProjectID, id, func(p surgical.Pass) (surgical.Pass, bool) { return p.Cancel(wanted, now) })
	if errors.Is(err, surgical.ErrMoved) {
		err = passMoved("backfill " + id)
	}
	return p, err
}

// cancelRequest first ends the request, so that it starts no more backfills.
func (s *server) cancelRequest(ctx context.Context, r surgical.BackfillRequest) (*answer[BackfillView], error) {
	switch r.Status {
	case surgical.StatusRunning:
		r.Status, r.FinishedAt = surgical.StatusCancelled, s.Clock()
		r.Error = surgical.NewError(surgical.CodeRunCancelled, "the backfill was cancelled by request")
		var err error
		if r, err = s.saveRequest(ctx, r); err != nil {
			return nil, err
		}
	case surgical.StatusCancelled: // its backfills may not be cancelled yet
	default:
		return nil, surgical.NewError(surgical.CodeConflict, fmt.Sprintf("backfill %s can no longer be cancelled; its status is %s", r.ID, r.Status))
	}
	passes, err := s.wantedBy(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, p := range passes {
		if _, err := s.cancelPass(ctx, p, r.ID); err != nil && surgical.CodeOf(err) != surgical.CodeBackfillNotFound {
			return nil, err
		}
	}
	s.crawl(ctx)
	view, err := s.requestView(ctx, r)
	return &answer[BackfillView]{view}, err
}

func (s *server) saveRequest(ctx context.Context, r surgical.BackfillRequest) (surgical.BackfillRequest, error) {
	saved, err := s.Passes.SaveBackfillRequest(ctx, r)
	if errors.Is(err, surgical.ErrMoved) {
		err = passMoved("backfill " + r.ID)
	}
	return saved, err
}

func (s *server) retryBackfill(ctx context.Context, in *backfillInput) (*backfillOutput, error) {
	p, r, err := s.backfill(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return s.retryRequest(ctx, *r)
	}
	resumed, p, err := s.resume(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case !resumed && p.Status != surgical.StatusRunning:
		return nil, nothingToRetry(in.ID)
	}
	s.crawl(ctx)
	view, err := s.passView(ctx, p)
	return &backfillOutput{Location: backfillPath(p.ID), Body: view}, err
}

func nothingToRetry(id string) error {
	return surgical.NewError(surgical.CodeConflict, "backfill "+id+": nothing failed, and nothing is left to list")
}

// resume lets a pass go on; resumed is false if it is running, or has nothing to do. A
// pass that did not succeed and cannot be continued is started again, under a new id.
func (s *server) resume(ctx context.Context, p surgical.Pass) (resumed bool, _ surgical.Pass, err error) {
	id, now := p.ID, s.Clock()
	p, err = s.Passes.ChangePass(ctx, p.ProjectID, id, func(p surgical.Pass) (surgical.Pass, bool) {
		p, resumed = p.Resume(now)
		return p, resumed
	})
	if err == nil && !p.Continues() && p.Status != surgical.StatusSucceeded {
		resumed = true
		p, err = s.Passes.StartBackfill(ctx, p.Anew(now))
	}
	if errors.Is(err, surgical.ErrMoved) {
		err = passMoved("backfill " + id)
	}
	return resumed, p, err
}

// retryRequest resumes the backfills of a request that did not succeed, and the list of
// projects if it had not ended.
func (s *server) retryRequest(ctx context.Context, r surgical.BackfillRequest) (*backfillOutput, error) {
	passes, err := s.wantedBy(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	some := !r.Listed
	for _, p := range passes {
		resumed, p, err := s.resume(ctx, p)
		if err != nil {
			return nil, err
		}
		some = some || resumed || p.Status == surgical.StatusRunning
	}
	if !some {
		return nil, nothingToRetry(r.ID)
	}
	if r.Status != surgical.StatusRunning {
		r.Status, r.FinishedAt, r.DueAt = surgical.StatusRunning, time.Time{}, s.Clock()
		r.Error, r.Tries, r.FailingSince = nil, 0, time.Time{}
		if r, err = s.saveRequest(ctx, r); err != nil {
			return nil, err
		}
	}
	s.crawl(ctx)
	view, err := s.requestView(ctx, r)
	return &backfillOutput{Location: backfillPath(r.ID), Body: view}, err
}

// wantedBy lists the backfills that the request wants.
func (s *server) wantedBy(ctx context.Context, id string) ([]surgical.Pass, error) {
	passes, err := s.Passes.PassesOf(ctx, surgical.PassBackfill)
	return slices.DeleteFunc(passes, func(p surgical.Pass) bool { return !p.Wants(id) }), err
}

// passView describes a pass with up to [maxFailures] failures.
func (s *server) passView(ctx context.Context, p surgical.Pass) (BackfillView, error) {
	view := viewOfPass(p)
	if p.Counts.Failed > 0 {
		failures, err := s.Passes.PassFailures(ctx, p, maxFailures)
		if err != nil {
			return view, err
		}
		for _, f := range failures {
			e := surgical.NewError(f.Code, f.Message)
			view.Failures = append(view.Failures, BackfillFailureView{TargetView(f.Target), f.RunID, f.Code, f.Message, e.Action, f.Code.CanSucceedLater()})
		}
	}
	return view, nil
}

func (s *server) requestView(ctx context.Context, r surgical.BackfillRequest) (BackfillView, error) {
	passes, err := s.Passes.PassesOf(ctx, surgical.PassBackfill)
	return viewOfRequest(r, passes), err
}
