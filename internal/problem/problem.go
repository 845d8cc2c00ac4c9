// Package problem is how failures leave Lorehook over HTTP: as RFC 9457 problem
// documents, extended with what the domain says about them. The webhook and the
// manual API answer with them, and the API's client reads them.
package problem

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// typePrefix comes before the code in a problem's type.
const typePrefix = "urn:lorehook:error:"

// Problem is a problem document. It is an error, and carries its HTTP status
// and headers.
type Problem struct {
	Type      string          `json:"type" example:"urn:lorehook:error:run_not_found" doc:"The code as a URI."`
	Title     string          `json:"title" example:"Not Found" doc:"The HTTP status in words."`
	Status    int             `json:"status" example:"404" doc:"The HTTP status."`
	Detail    string          `json:"detail" example:"run m5d2 is not in the ledger" doc:"What happened, for people."`
	Code      surgical.Code   `json:"code" example:"run_not_found" doc:"What happened, for machines."`
	Action    surgical.Action `json:"action" enum:"fix_request,check_token,grant_access,verify_iid,retry_after,retry_failed,contact_operator" doc:"What to do about it."`
	Retryable bool            `json:"retryable" doc:"Whether the same call can succeed later."`
	After     int64           `json:"retry_after,omitempty" doc:"How many seconds to wait at least before trying again."`
	RunID     string          `json:"run_id,omitempty" doc:"The run that failed."`
	Total     int             `json:"total,omitempty" doc:"How many targets the run has."`
	Failures  []TargetProblem `json:"failures,omitempty" nullable:"false" doc:"What stopped single targets."`
	Errors    []InvalidValue  `json:"errors,omitempty" nullable:"false" doc:"Every value of the request that is not valid."`
	// Message is Detail once more. The webhook's answers have it, for readers
	// that know no problem documents; so does the error of a run.
	Message string `json:"message,omitempty" doc:"The detail once more; only in answers of the webhook."`
	// Header is sent beside Retry-After.
	Header http.Header `json:"-"`

	cause error
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

// InvalidValue names one value of a request that is not valid.
type InvalidValue struct {
	Location string `json:"location" example:"path.iid" doc:"Where the value stands: path, query, header or body, then its name."`
	Message  string `json:"message" example:"expected number >= 1" doc:"What is wrong with it."`
	Value    string `json:"value,omitempty" example:"-1" doc:"The value, or its beginning."`
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

// Of returns the problem for an error, under the status of its code. An error
// that has no code is an internal one; its text is for the log only. A problem,
// wrapped or not, is returned as it is.
func Of(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	e := surgical.AsError(err)
	return WithStatus(Status(e.Code), err)
}

// Malformed is [Of] with status 400: the request cannot be read at all. A value
// that can be read and is not valid has 422, the status of its code.
func Malformed(err error) *Problem { return WithStatus(http.StatusBadRequest, err) }

// Unavailable is [Of] with status 503: something that the answer needs is out
// of reach.
func Unavailable(err error) *Problem { return WithStatus(http.StatusServiceUnavailable, err) }

// WithStatus is [Of] under a status of its own. Every 503 says when to try
// again.
func WithStatus(status int, err error) *Problem {
	e := surgical.AsError(err)
	p := &Problem{
		Type: typePrefix + string(e.Code), Title: http.StatusText(status), Status: status,
		Detail: strings.ReplaceAll(e.Message, "\n", "; "), Code: e.Code, Action: e.Action, Retryable: e.Retryable,
		After: e.Seconds(), RunID: e.RunID, Total: e.Total, Failures: Targets(e.Failures), cause: err,
	}
	if status == http.StatusServiceUnavailable && p.After == 0 {
		p.After = int64(surgical.UnavailableRetryAfter / time.Second)
	}
	return p
}

// Targets returns the failures of single targets.
func Targets(failures []surgical.TargetFailure) []TargetProblem {
	var out []TargetProblem
	for _, f := range failures {
		out = append(out, TargetProblem{f.Type, f.IID, f.Code, f.Message, f.Action, f.Retryable})
	}
	return out
}

// Error implements error. The text is for logs: it holds the cause.
func (p *Problem) Error() string {
	if p.cause != nil {
		return p.cause.Error()
	}
	return string(p.Code) + ": " + p.Detail
}

// Unwrap returns the error that the problem was made of, if any.
func (p *Problem) Unwrap() error { return p.cause }

// Err returns the problem, as a client read it, as an error of the domain.
func (p *Problem) Err() *surgical.Error {
	e := &surgical.Error{
		Code: p.Code, Message: cmp.Or(p.Detail, p.Message), Action: p.Action, Retryable: p.Retryable,
		RetryAfter: time.Duration(p.After) * time.Second, RunID: p.RunID, Total: p.Total,
	}
	for _, f := range p.Failures {
		e.Failures = append(e.Failures, surgical.TargetFailure{
			Target: surgical.Target{Type: f.Type, IID: f.IID}, Code: f.Code, Message: f.Message, Action: f.Action, Retryable: f.Retryable,
		})
	}
	return e
}

// GetStatus returns the HTTP status; it implements huma's StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers of the answer beside Content-Type; it
// implements huma's HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.After > 0 {
		h.Set("Retry-After", strconv.FormatInt(p.After, 10))
	}
	for name, values := range p.Header {
		h[name] = values
	}
	return h
}

// ContentType returns [ContentType]; it implements huma's ContentTypeFilter.
func (p *Problem) ContentType(string) string { return ContentType }

// Write answers with the problem.
func Write(w http.ResponseWriter, p *Problem) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte("{}") // a problem of strings and numbers always encodes
	}
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone needs no answer
}
