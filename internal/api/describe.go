package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// signed is the name of the security scheme for everything under /v1.
const signed = "sigv4"

// newDescription returns the API's description without any operation.
func newDescription() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Lorehook", Version: Version, Description: introduction(),
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Servers: servers(),
		Components: &huma.Components{
			Schemas: newSchemas(),
			SecuritySchemes: map[string]*huma.SecurityScheme{signed: {
				Type: "apiKey", In: "header", Name: "Authorization",
				Description: "AWS Signature Version 4 for the service execute-api; the caller needs execute-api:Invoke. The local stack (make up) does not require it.",
				Extensions:  map[string]any{"x-amazon-apigateway-authtype": "awsSigv4"},
			}},
		},
		Tags: []*huma.Tag{
			{Name: "runs", Description: "A run updates the stored copies of its target entities, all of them or none."},
			{Name: "issues", Description: "The current stored copies of issues, their documents, and why they are as they are."},
			{Name: "merge-requests", Description: "The current stored copies of merge requests, their documents, and why they are as they are."},
			{Name: "search", Description: "Search over the copies, and the index that answers it."},
			{Name: "changes", Description: "A feed of what changed in the copies."},
			{Name: "projects", Description: "What is known of projects as a whole, and what is stored of them."},
			{Name: "backfills", Description: "A backfill compares everything in GitLab's lists of a project with the copy, and requests runs for what differs."},
			{Name: "reconciles", Description: "A reconcile compares what changed in GitLab's lists of a project since the last one with the copy, and requests runs for what differs."},
			{Name: "drains", Description: "A drain makes the documents and embeddings that ended runs left undone."},
			{Name: "erasures", Description: "An erasure removes an issue or a merge request, and keeps it out."},
			{Name: "service", Description: "The stack and the API itself."},
		},
	}
}

// servers are where a stack serves the API: the output ApiUrl of the deployed one, and
// what make status shows of the local one.
func servers() []*huma.Server {
	return []*huma.Server{
		{
			URL: "https://{api_id}.execute-api.{region}.amazonaws.com", Description: "The stack in your AWS account: its output ApiUrl.",
			Variables: map[string]*huma.ServerVariable{
				"api_id": {Default: "a1b2c3d4e5", Description: "The stack's output HttpApiId."},
				"region": {Default: "us-east-1", Description: "The region of the stack."},
			},
		},
		{
			URL: "http://127.0.0.1:4566/_aws/execute-api/{api_id}", Description: "The local stack: make status shows the URL.",
			Variables: map[string]*huma.ServerVariable{"api_id": {Default: "a1b2c3d4", Description: "The last part of the URL."}},
		},
	}
}

// newSchemas returns a registry without any schema.
func newSchemas() huma.Registry { return huma.NewMapRegistry("#/components/schemas/", schemaName) }

// schemaName is the type's name without the suffix View, which distinguishes it
// from the domain's type.
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "View")
}

// introduction describes what applies to all operations.
func introduction() string {
	var b strings.Builder
	b.WriteString(`Brings complete copies of single GitLab issues and merge requests up to date, and reads them.

## Calling it

Requests and answers are JSON in UTF-8; times are RFC 3339 in UTC. On AWS every call under ` + "`/v1`" + ` is signed with IAM (SigV4, service ` + "`execute-api`" + `); ` + "`/healthz` and `/openapi.json`" + ` are open. The gateway in front of the API has its own responses to requests that it does not forward: 403 for a missing or wrong signature, 429 when it throttles, 503 when the API does not respond, each with a body such as ` + "`{\"message\":\"Forbidden\"}`" + `.

Unknown or repeated fields and parameters, nulls, and empty parameters are rejected; the error names each one. A project is named by GitLab's id or by its path, such as ` + "`group/project`" + `; a renamed project is also found by its earlier paths. A request that names a project outside the allow list is rejected; if it names it by its path, as an unknown one.

## Repeating a request

` + "`POST /v1/sync-runs`" + ` accepts an ` + "`Idempotency-Key`" + `. However often the same request is sent with the same key, sequentially or concurrently, it creates one run. A different request with that key is a conflict. A key is remembered as long as its run: until 90 days after the run ends. Retrying and cancelling are idempotent without a key.

## Lists

Lists, and entities that do not fit into one response, are paginated. To read the next page, pass ` + "`next_cursor`" + ` with the same path and the same filters. The last page has no ` + "`next_cursor`" + `.

## Failures

A failure is an RFC 9457 problem (` + "`application/problem+json`" + `). ` + "`code`" + ` says what happened, ` + "`action`" + ` what to do about it, ` + "`retryable`" + ` whether the same call can succeed later, and ` + "`retry_after`" + ` the minimum number of seconds to wait. ` + "`errors`" + ` lists every invalid value. An unknown path returns 404, a method that a path does not support returns 405 with ` + "`Allow`" + `; both have the code ` + "`invalid_request`" + `. The errors of a run and of its targets use the same codes and actions.

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

// refusalOf returns the refusal with the code's own status.
func refusalOf(code surgical.Code, why string) refusal {
	return refusal{problem.Status(code), code, why}
}

func notValid() refusal {
	return refusalOf(surgical.CodeInvalidRequest, "a value is invalid; `errors` lists each one")
}

func notAllowed() refusal {
	return refusalOf(surgical.CodeProjectNotAllowed, "the project is not on the allow list")
}

func noRun() refusal { return refusalOf(surgical.CodeRunNotFound, "the run is unknown") }

func noEntity() refusal {
	return refusalOf(surgical.CodeEntityNotFound, "no copy of the entity is stored")
}

func goneEntity() refusal {
	return refusalOf(surgical.CodeEntityGone, "GitLab no longer shows the entity to the token, and its copy is removed")
}

func noQueue() refusal {
	return refusalOf(surgical.CodeQueueUnavailable, "the run could not be sent to the queue; it stays queued, and repeating the call sends it again")
}

// describeRefusals adds to the operation every way in which it can fail, so that every
// possible response is documented. Any operation can be given an invalid value
// or fail internally.
func describeRefusals(op *huma.Operation, refusals []refusal, schemas huma.Registry) {
	op.Security = open()
	if strings.HasPrefix(op.Path, "/v1/") {
		op.Security = []map[string][]string{{signed: {}}}
	}
	op.Responses = map[string]*huma.Response{"429": throttled(schemas)}
	refusals = append(slices.Clip(refusals), notValid(), refusalOf(surgical.CodeInternal, "an unexpected failure; the log names its cause"))
	if strings.HasPrefix(op.Path, "/v1/") {
		refusals = append(refusals, refusalOf(surgical.CodeDependencyUnavailable, "something that the answer needs is out of reach, or did not answer in time"))
	}
	for _, r := range refusals {
		why := fmt.Sprintf("`%s`: %s.", r.code, r.why)
		status := strconv.Itoa(r.status)
		if known := op.Responses[status]; known != nil {
			known.Description += " " + why
			continue
		}
		op.Responses[status] = &huma.Response{Description: why, Content: map[string]*huma.MediaType{
			problem.ContentType: {Schema: schemas.Schema(reflect.TypeFor[problem.Problem](), true, "Problem")},
		}}
		if r.status == http.StatusServiceUnavailable || r.code == surgical.CodeIndexNotReady {
			op.Responses[status].Headers = retryAfter(surgical.UnavailableRetryAfter)
		}
	}
}

// open is the security of an operation that anyone may call. It is explicit, because a
// description without it leaves the question open.
func open() []map[string][]string { return []map[string][]string{} }

// GatewayMessage is the body of a response that is the gateway's own.
type GatewayMessage struct {
	Message string `json:"message" example:"Too Many Requests" doc:"What the gateway says."`
}

// throttled is the response of the gateway to a call that it does not forward because
// there are too many.
func throttled(schemas huma.Registry) *huma.Response {
	return described[GatewayMessage](schemas, "The gateway throttles: it did not forward the call, and its response is not a problem.")
}

// retryAfter describes the header of a response after which the same request can
// succeed.
func retryAfter(example time.Duration) map[string]*huma.Param {
	return map[string]*huma.Param{"Retry-After": {
		Description: "The minimum number of seconds to wait.", Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]+$"}, Example: strconv.FormatFloat(example.Seconds(), 'f', 0, 64),
	}}
}

// described is a response of type T.
func described[T any](schemas huma.Registry, description string) *huma.Response {
	t := reflect.TypeFor[T]()
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(t, true, t.Name())},
	}}
}

// leadToRun adds to the response the header with the URL of its run, and the
// operations that accept the run.
func leadToRun(answer *huma.Response) *huma.Response {
	answer.Headers = map[string]*huma.Param{"Location": {
		Description: "The URL of the run.", Schema: &huma.Schema{Type: huma.TypeString}, Example: "/v1/sync-runs/" + exampleRun,
	}}
	answer.Links = map[string]*huma.Link{}
	for name, operation := range map[string]string{"read": "get-sync-run", "cancel": "cancel-sync-run", "retry": "retry-sync-run"} {
		answer.Links[name] = &huma.Link{OperationID: operation, Parameters: map[string]any{"run_id": "$response.body#/run_id"}}
	}
	return answer
}

// complete adds what does not come from an operation: the codes, and the
// description itself.
func complete(description *huma.OpenAPI) {
	registry := description.Components.Schemas
	schemas := registry.Map()
	// Huma registers its own error type, but every response has ours.
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	listCodes(schemas)
	leaveOpen(schemas)
	// Any other field is there only if it is selected.
	for _, name := range []string{"ListedEntity", "Entity"} {
		schemas[name].Required = []string{"project_id", "type", "iid"}
	}
	description.AddOperation(&huma.Operation{
		OperationID: "get-description", Method: http.MethodGet, Path: descriptionPath, Tags: []string{"service"},
		Summary: "Read this description", Description: "OpenAPI 3.1.", Security: open(),
		Responses: map[string]*huma.Response{"429": throttled(registry), "200": {Description: "OK", Content: map[string]*huma.MediaType{
			descriptionType: {Schema: describedDescription()},
		}}},
	})
	explainPatterns(description)
}

// describedDescription is the shape of the description itself.
func describedDescription() *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{"openapi", "info", "paths"},
		Properties: map[string]*huma.Schema{
			"openapi": {Type: huma.TypeString, Description: "The version of OpenAPI."},
			"info":    {Type: huma.TypeObject, Description: "Title, version and introduction.", AdditionalProperties: true},
			"paths":   {Type: huma.TypeObject, Description: "The operations by path.", AdditionalProperties: true},
		},
		AdditionalProperties: true,
	}
}

const (
	descriptionPath = "/openapi.json"
	descriptionType = "application/openapi+json"
)

// serveDescription responds with the description, which is built on the first request:
// most instances of the function never need it.
func serveDescription() http.HandlerFunc {
	encoded := sync.OnceValues(func() ([]byte, error) {
		description, err := Description()
		if err != nil {
			return nil, err
		}
		return json.Marshal(description)
	})
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := encoded()
		if err != nil {
			writeProblem(w, r, problem.Of(fmt.Errorf("describe the API: %w", err)))
			return
		}
		w.Header().Set("Content-Type", descriptionType)
		_, _ = w.Write(raw) // a client that has disconnected needs no response
	}
}
