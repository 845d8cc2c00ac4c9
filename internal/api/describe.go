package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// signed names the security scheme of what is under /v1.
const signed = "sigv4"

// newDescription is the API's description before it has any operation.
func newDescription() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Lorehook", Version: Version, Description: introduction(),
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{signed: {
				Type: "apiKey", In: "header", Name: "Authorization",
				Description: "AWS Signature Version 4 for the service execute-api; the caller needs execute-api:Invoke. The stack of one machine (make up) asks for none.",
				Extensions:  map[string]any{"x-amazon-apigateway-authtype": "awsSigv4"},
			}},
		},
		Tags: []*huma.Tag{
			{Name: "runs", Description: "A run brings the copies of the entities that it names up to date, all of them or none."},
			{Name: "entities", Description: "The stored copies, as they are now."},
			{Name: "service", Description: "The API itself."},
		},
	}
}

// schemaName is the type's name without the View that tells it from the
// domain's type.
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "View")
}

// introduction is what holds for all operations.
func introduction() string {
	var b strings.Builder
	b.WriteString(`Brings complete copies of single GitLab issues and merge requests up to date, and reads them.

## Calling it

Requests and answers are JSON in UTF-8; times are RFC 3339 in UTC. On AWS every call under ` + "`/v1`" + ` is signed with IAM (SigV4, service ` + "`execute-api`" + `); ` + "`/healthz` and `/openapi.json`" + ` are open. The gateway in front of the API has a word of its own where it lets nothing through: 403 for a missing or wrong signature, 429 when it throttles, 503 when nothing answers behind it, each with a body such as ` + "`{\"message\":\"Forbidden\"}`" + `.

Unknown fields and parameters, those that stand there twice, nulls and empty parameters are refused, each by name. A project outside the allow list is refused wherever a request names one.

## Repeating a request

` + "`POST /v1/sync-runs`" + ` takes an ` + "`Idempotency-Key`" + `. However often one request is sent under one key, one after another or all at once, it is one run. Another request under that key is a conflict. A key is remembered as long as its run, 90 days after the run's end. Retrying and cancelling need no key: asked twice, they answer the same.

## Lists

A list, and an entity that does not fit into one answer, comes in pages. ` + "`next_cursor`" + ` leads to the next page, together with the same path and the same filters; where there is none, the list ends.

## Failures

A failure is an RFC 9457 problem (` + "`application/problem+json`" + `). ` + "`code`" + ` says what happened, ` + "`action`" + ` what to do about it, ` + "`retryable`" + ` whether the same call can succeed later, ` + "`retry_after`" + ` in how many seconds at the earliest. ` + "`errors`" + ` names every value that is not valid. A path that does not exist is answered with 404, a method that a path does not take with 405 and ` + "`Allow`" + `, both with ` + "`invalid_request`" + `. The error of a run, and of each of its targets, has the same codes and actions.

| code | status | action | retryable | means |
|---|---|---|---|---|
`)
	for _, code := range surgical.Codes() {
		e := surgical.NewError(code, "")
		status := "of a run"
		switch {
		case code == surgical.CodeInvalidSignature:
			status = "of the webhook"
		case problem.Answered(code):
			status = strconv.Itoa(problem.Status(code))
		}
		retryable := "no"
		if e.Retryable {
			retryable = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", code, status, e.Action, retryable, code.Means())
	}
	return b.String()
}

// refusal is one way in which an operation fails.
type refusal struct {
	status int
	code   surgical.Code
	why    string
}

// refusalOf has the code's own status.
func refusalOf(code surgical.Code, why string) refusal {
	return refusal{problem.Status(code), code, why}
}

func notValid() refusal {
	return refusalOf(surgical.CodeInvalidRequest, "a value is not valid; `errors` names each")
}

func notAllowed() refusal {
	return refusalOf(surgical.CodeProjectNotAllowed, "the project is not on the allow list")
}

func noRun() refusal { return refusalOf(surgical.CodeRunNotFound, "no such run is known") }

func noEntity() refusal {
	return refusalOf(surgical.CodeEntityNotFound, "no copy of the entity is stored")
}

func noQueue() refusal {
	return refusalOf(surgical.CodeQueueUnavailable, "the queue does not take the run; it stays queued, and the same call sends it again")
}

// operation describes how the operation can fail, beside what it has of its
// own: every answer that can come is documented. What is not valid, and a
// failure within, can meet every operation.
func (s *server) operation(op huma.Operation, refusals ...refusal) huma.Operation {
	op.Middlewares = huma.Middlewares{s.refuseAmbiguous}
	if strings.HasPrefix(op.Path, "/v1/") {
		op.Security = []map[string][]string{{signed: {}}}
	}
	op.Responses = map[string]*huma.Response{}
	refusals = append(refusals, notValid(), refusalOf(surgical.CodeInternal, "an unexpected failure; the log names its cause"))
	for _, r := range refusals {
		why := fmt.Sprintf("`%s`: %s.", r.code, r.why)
		status := strconv.Itoa(r.status)
		if known := op.Responses[status]; known != nil {
			known.Description += " " + why
			continue
		}
		op.Responses[status] = &huma.Response{Description: why, Content: map[string]*huma.MediaType{
			problem.ContentType: {Schema: s.schemas.Schema(reflect.TypeFor[problem.Problem](), true, "Problem")},
		}}
		if r.status == http.StatusServiceUnavailable {
			op.Responses[status].Headers = map[string]*huma.Param{"Retry-After": {
				Description: "How many seconds to wait at least.", Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]+$"}, Example: strconv.FormatFloat(surgical.UnavailableRetryAfter.Seconds(), 'f', 0, 64),
			}}
		}
	}
	return op
}

// described is an answer of the type.
func (s *server) described(description string, t reflect.Type) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
		"application/json": {Schema: s.schemas.Schema(t, true, t.Name())},
	}}
}

// leadToRun describes the header that leads to the answer's run, and the
// operations that take the run.
func leadToRun(answer *huma.Response) {
	answer.Headers = map[string]*huma.Param{"Location": {
		Description: "Where the run is read.", Schema: &huma.Schema{Type: huma.TypeString}, Example: "/v1/sync-runs/" + exampleRun,
	}}
	answer.Links = map[string]*huma.Link{}
	for name, operation := range map[string]string{"read": "get-sync-run", "cancel": "cancel-sync-run", "retry": "retry-failed"} {
		answer.Links[name] = &huma.Link{OperationID: operation, Parameters: map[string]any{"run_id": "$response.body#/run_id"}}
	}
}

// complete adds to the description what no operation brings: the codes, the
// description itself, and the examples.
func (s *server) complete(description *huma.OpenAPI) error {
	// Huma registers its own shape of an error; every answer has ours.
	delete(s.schemas.Map(), "ErrorModel")
	delete(s.schemas.Map(), "ErrorDetail")
	codes := make([]any, 0, len(surgical.Codes()))
	for _, code := range surgical.Codes() {
		codes = append(codes, string(code))
	}
	for _, schema := range s.schemas.Map() {
		for name, property := range schema.Properties {
			if name == "code" || name == "error_code" {
				property.Enum = codes
			}
		}
	}
	description.AddOperation(&huma.Operation{
		OperationID: "openapi", Method: http.MethodGet, Path: descriptionPath, Tags: []string{"service"},
		Summary: "Read this description", Description: "OpenAPI 3.1.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			descriptionType: {Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"openapi", "info", "paths"}}},
		}}},
	})
	return addExamples(description)
}

const (
	descriptionPath = "/openapi.json"
	descriptionType = "application/openapi+json"
)

// serveDescription answers with the description, which is encoded when it is
// first asked for: most functions never are.
func serveDescription(description *huma.OpenAPI) http.HandlerFunc {
	encoded := sync.OnceValues(func() ([]byte, error) { return json.Marshal(description) })
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := encoded()
		if err != nil {
			writeProblem(w, r, problem.Of(fmt.Errorf("describe the API: %w", err)))
			return
		}
		w.Header().Set("Content-Type", descriptionType)
		_, _ = w.Write(raw) // a client that is gone needs no answer
	}
}
