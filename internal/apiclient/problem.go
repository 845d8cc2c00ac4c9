package apiclient

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/retryafter"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Codes for failures that did not come from the API itself.
const (
	// CodeUnavailable means that nothing responded, or only the gateway did.
	CodeUnavailable surgical.Code = "api_unavailable"
	// CodeForbidden means that there are no AWS credentials, or AWS denied them.
	CodeForbidden surgical.Code = "api_forbidden"
)

// ReadProblem returns the error for a non-2xx response. A body that is not one
// of Lorehook's problems came from the gateway, a proxy or another server.
func ReadProblem(resp *http.Response, body []byte) *surgical.Error {
	var p problem.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return foreign(resp, p.Message)
	}
	e := p.Err()
	if e.RetryAfter == 0 {
		e.RetryAfter = retryafter.Of(resp.Header)
	}
	return e
}

func foreign(resp *http.Response, said string) *surgical.Error {
	status := strconv.Itoa(resp.StatusCode) + " " + cmp.Or(said, http.StatusText(resp.StatusCode))
	switch {
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return &surgical.Error{
			Code: CodeForbidden, Action: surgical.ActionGrantAccess,
			Message: fmt.Sprintf("AWS denied the request (%s): the credentials need execute-api:Invoke on this API", status),
		}
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= http.StatusInternalServerError:
		return &surgical.Error{
			Code: CodeUnavailable, Action: surgical.ActionRetryAfter, Retryable: true, RetryAfter: retryafter.Of(resp.Header),
			Message: fmt.Sprintf("the gateway returned %s", status),
		}
	default:
		return surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("%s returned %s: this is not the Lorehook API", resp.Request.URL.Host, status))
	}
}
