package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Problem is every failure of the API (RFC 9457), extended with what the
// domain says about it.
type Problem struct {
	Title     string            `json:"title" example:"Not Found" doc:"The HTTP status in words."`
	Status    int               `json:"status" example:"404" doc:"The HTTP status."`
	Detail    string            `json:"detail" example:"run m5d2 is not in the ledger" doc:"What happened, for people."`
	Code      surgical.Code     `json:"code" example:"run_not_found" doc:"What happened, for machines."`
	Action    surgical.Action   `json:"action" enum:"fix_request,check_token,grant_access,verify_iid,retry_after,retry_failed,contact_operator" doc:"What to do about it."`
	Retryable bool              `json:"retryable" doc:"Whether the same call can succeed later."`
	After     int64             `json:"retry_after,omitempty" doc:"How many seconds to wait at least before trying again."`
	RunID     string            `json:"run_id,omitempty" doc:"The run that failed."`
	Total     int               `json:"total,omitempty" doc:"How many targets the run has."`
	Failures  []TargetProblem   `json:"failures,omitempty" nullable:"false" doc:"What stopped single targets."`
	Errors    []InvalidValue    `json:"errors,omitempty" nullable:"false" doc:"Every value of the request that is not valid."`
	headers   map[string]string // beside Retry-After
	cause     error
}

// TargetProblem is what stopped one target of a run.
type TargetProblem struct {
	Type      surgical.EntityType `json:"type" enum:"issue,merge_request" doc:"Which kind of entity."`
	IID       int64               `json:"iid" example:"7" doc:"The entity's number within its project."`
	Code      surgical.Code       `json:"code" example:"gitlab_not_found" doc:"What stopped it, for machines."`
	Message   string              `json:"message" doc:"What stopped it, for people."`
	Action    surgical.Action     `json:"action" example:"verify_iid" enum:"fix_request,check_token,grant_access,verify_iid,retry_after,retry_failed,contact_operator" doc:"What to do about it."`
	Retryable bool                `json:"retryable" doc:"Whether another try can succeed without anybody doing something."`
}

// InvalidValue names one value that is not valid.
type InvalidValue struct {
	Location string `json:"location" example:"path.iid" doc:"Where the value stands: path, query, header or body, then its name."`
	Message  string `json:"message" example:"expected number >= 1" doc:"What is wrong with it."`
	Value    string `json:"value,omitempty" example:"-1" doc:"The value, or its beginning."`
}

// Error implements error.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus implements [huma.StatusError].
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements [huma.HeadersError].
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.After > 0 {
		h.Set("Retry-After", strconv.FormatInt(p.After, 10))
	}
	for name, value := range p.headers {
		h.Set(name, value)
	}
	return h
}

// ContentType implements [huma.ContentTypeFilter].
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// problemOf gives an error its status; what is no error of the domain is an
// internal one, whose cause is for the log alone.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	e := surgical.AsError(err)
	status := statusOf(e.Code)
	return &Problem{
		Title: http.StatusText(status), Status: status,
		Detail: strings.ReplaceAll(e.Message, "\n", "; "), Code: e.Code, Action: e.Action, Retryable: e.Retryable,
		After: e.Seconds(),
		RunID: e.RunID, Total: e.Total, Failures: targetProblems(e.Failures), cause: err,
	}
}

func targetProblems(failures []surgical.TargetFailure) []TargetProblem {
	var out []TargetProblem
	for _, f := range failures {
		out = append(out, TargetProblem{f.Type, f.IID, f.Code, f.Message, f.Action, f.Retryable})
	}
	return out
}

// statusOf is the HTTP status of the codes that the API itself answers with.
func statusOf(code surgical.Code) int {
	switch code {
	case surgical.CodeInvalidRequest:
		return http.StatusUnprocessableEntity
	case surgical.CodeProjectNotAllowed:
		return http.StatusForbidden
	case surgical.CodeRunNotFound, surgical.CodeEntityNotFound:
		return http.StatusNotFound
	case surgical.CodeConflict:
		return http.StatusConflict
	case surgical.CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case surgical.CodeQueueUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// problemWith is a problem under a status of its own.
func problemWith(status int, e *surgical.Error) *Problem {
	p := problemOf(e)
	p.Status, p.Title = status, http.StatusText(status)
	return p
}

// asProblem turns what huma itself finds wrong into a problem, and notes the
// code for the request's line in the log.
func asProblem(ctx huma.Context, _ string, v any) (any, error) {
	if m, ok := v.(*huma.ErrorModel); ok {
		v = problemOfModel(m)
	}
	if p, ok := v.(*Problem); ok {
		note(ctx.Context(), p)
	}
	return v, nil
}

func problemOfModel(m *huma.ErrorModel) *Problem {
	code := surgical.CodeInvalidRequest
	switch {
	case m.Status == http.StatusRequestEntityTooLarge:
		code = surgical.CodePayloadTooLarge
	case m.Status >= http.StatusInternalServerError:
		return problemWith(m.Status, surgical.AsError(m))
	}
	details := make([]string, 0, len(m.Errors))
	var values []InvalidValue
	for _, e := range m.Errors {
		value := InvalidValue{Location: e.Location, Message: plainNumbers(e.Message), Value: shown(e)}
		values = append(values, value)
		details = append(details, value.String())
	}
	detail := m.Detail
	if len(details) > 0 {
		detail = strings.Join(details, "; ")
	}
	p := problemWith(m.Status, surgical.NewError(code, detail))
	p.Errors = values
	return p
}

// plainNumbers writes out what stands there in scientific notation, as large
// bounds do.
func plainNumbers(message string) string {
	return regexp.MustCompile(`\d(\.\d+)?e\+\d+`).ReplaceAllStringFunc(message, func(number string) string {
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return number
		}
		return strconv.FormatFloat(value, 'f', -1, 64)
	})
}

// String names the place, what is wrong and the value.
func (v InvalidValue) String() string {
	text := v.Message
	if v.Location != "" {
		text = v.Location + ": " + text
	}
	if v.Value != "" {
		text += ", got " + v.Value
	}
	return text
}

// maxShown is how much of an offending value is quoted.
const maxShown = 100

// shown quotes a value, or its beginning; a whole body or object says nothing
// that its location does not.
func shown(e *huma.ErrorDetail) string {
	if e.Value == nil && strings.HasPrefix(e.Location, "body.") {
		return "null"
	}
	if e.Value == nil || e.Location == "body" || reflect.ValueOf(e.Value).Kind() == reflect.Map {
		return ""
	}
	raw, err := json.Marshal(e.Value)
	if err != nil {
		return ""
	}
	if len(raw) <= maxShown {
		return string(raw)
	}
	return strings.ToValidUTF8(string(raw[:maxShown]), "") + "…"
}

// invalid is one value that is not valid, found by the API itself.
func invalid(location string, value any, message string) error {
	return problemOfModel(&huma.ErrorModel{
		Status: http.StatusUnprocessableEntity, Errors: []*huma.ErrorDetail{{Location: location, Message: message, Value: value}},
	})
}
