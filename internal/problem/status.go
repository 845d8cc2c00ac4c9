package problem

import (
	"net/http"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// statusOf returns the HTTP status of a code with which requests are answered.
func statusOf(code surgical.Code) (status int, answered bool) {
	switch code {
	case surgical.CodeInvalidRequest:
		return http.StatusUnprocessableEntity, true
	case surgical.CodeInvalidSignature:
		return http.StatusUnauthorized, true
	case surgical.CodeProjectNotAllowed:
		return http.StatusForbidden, true
	case surgical.CodeProjectUnknown, surgical.CodeRunNotFound, surgical.CodeBackfillNotFound, surgical.CodeEntityNotFound:
		return http.StatusNotFound, true
	case surgical.CodeEntityGone, surgical.CodeFeedRestarted:
		return http.StatusGone, true
	case surgical.CodeIndexNotReady, surgical.CodeConflict:
		return http.StatusConflict, true
	case surgical.CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge, true
	case surgical.CodeInternal:
		return http.StatusInternalServerError, true
	case surgical.CodeQueueUnavailable, surgical.CodeDependencyUnavailable:
		return http.StatusServiceUnavailable, true
	}
	return http.StatusInternalServerError, false
}

// Status returns the HTTP status of a code: the same wherever a request fails
// with it. A code that only runs end with has 500.
func Status(code surgical.Code) int {
	status, _ := statusOf(code)
	return status
}

// Answered reports whether requests are answered with the code. The others are
// the codes that only runs end with.
func Answered(code surgical.Code) bool {
	_, answered := statusOf(code)
	return answered
}
