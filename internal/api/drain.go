package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// DrainRequest requests a drain.
type DrainRequest struct {
	ProjectID int64 `json:"project_id,omitempty" minimum:"1" maximum:"9007199254740991" example:"1" doc:"GitLab's id of a project; all projects without it."`

	raw []byte
}

// UnmarshalJSON implements [json.Unmarshaler]; it keeps the text for [ambiguous].
func (b *DrainRequest) UnmarshalJSON(raw []byte) error {
	type plain DrainRequest
	return unmarshalKeeping(raw, (*plain)(b), &b.raw)
}

type drainInput struct{ Body DrainRequest }

// Resolve implements [huma.Resolver].
func (in *drainInput) Resolve(huma.Context) []error {
	return ambiguous(in.Body.raw, reflect.TypeFor[DrainRequest]())
}

// DrainView is an accepted request to drain.
type DrainView struct {
	ProjectID   int64     `json:"project_id,omitempty" example:"1" doc:"The project; absent for all projects."`
	RequestedAt time.Time `json:"requested_at" doc:"When the drain was requested."`
	StartsBy    time.Time `json:"starts_by" doc:"When the sweeper has begun with it, unless it has much else to do."`
	Undone      int       `json:"undone_entities" doc:"How many entities have documents or embeddings undone, including those that a run is working on."`
}

func (s *server) addDrains(to *routes) {
	op := operationOf(huma.Operation{
		OperationID: "request-drain", Method: http.MethodPost, Path: "/v1/drains", Tags: []string{"drains"},
		Summary: "Resume what failed runs left undone",
		Description: "Asks the sweeper to make, in drain runs, all documents and embeddings that ended runs left undone, of one project or of all: also those that wait after a failure, and those that are held back because the embedder refused them. " +
			"Use it after you have removed the cause. Each entity is tried once per request; what fails again waits as before. Nothing is fetched from GitLab.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: surgical.MaxAPIBody,
	}, notAllowed(),
		refusal{http.StatusBadRequest, surgical.CodeInvalidRequest, "the body is missing or not JSON"},
		refusal{http.StatusUnsupportedMediaType, surgical.CodeInvalidRequest, "the body is not application/json"},
		refusalOf(surgical.CodePayloadTooLarge, "the body is longer than 64 KB"))
	op.responses = func(responses map[string]*huma.Response, schemas huma.Registry) {
		responses["202"] = described[DrainView](schemas, "The request is stored.")
	}
	to.add(op, handle(s.drain))
}

// drain counts first: a request that was stored must not be answered with a failure.
func (s *server) drain(ctx context.Context, in *drainInput) (*answer[DrainView], error) {
	project, match := in.Body.ProjectID, s.Allows
	if project != 0 {
		if err := s.allowed(project); err != nil {
			return nil, err
		}
		match = func(id int64) bool { return id == project }
	}
	undone, err := s.Runs.CountUndone(ctx, match)
	if err != nil {
		return nil, err
	}
	at, err := s.Runs.RequestDrain(ctx, project)
	if err != nil {
		return nil, err
	}
	return &answer[DrainView]{DrainView{
		ProjectID: project, RequestedAt: at, StartsBy: at.Add(surgical.SweepInterval + surgical.SweeperTimeout), Undone: undone,
	}}, nil
}
