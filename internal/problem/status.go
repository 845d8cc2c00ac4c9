package problem

import (
	"net/http"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// statuses has the HTTP status of every code that a request is answered with.
func statuses() map[surgical.Code]int {
	return map[surgical.Code]int{
		surgical.CodeInvalidRequest:        http.StatusUnprocessableEntity,
		surgical.CodeInvalidSignature:      http.StatusUnauthorized,
		surgical.CodeProjectNotAllowed:     http.StatusForbidden,
		surgical.CodeProjectUnknown:        http.StatusNotFound,
		surgical.CodeRunNotFound:           http.StatusNotFound,
		surgical.CodeBackfillNotFound:      http.StatusNotFound,
		surgical.CodeEntityNotFound:        http.StatusNotFound,
		surgical.CodeEntityGone:            http.StatusGone,
		surgical.CodeFeedRestarted:         http.StatusGone,
		surgical.CodeIndexNotReady:         http.StatusConflict,
		surgical.CodeConflict:              http.StatusConflict,
		surgical.CodePayloadTooLarge:       http.StatusRequestEntityTooLarge,
		surgical.CodeInternal:              http.StatusInternalServerError,
		surgical.CodeQueueUnavailable:      http.StatusServiceUnavailable,
		surgical.CodeDependencyUnavailable: http.StatusServiceUnavailable,
	}
}

// Status returns the HTTP status of a code: the same wherever a request fails
// with it. A code that only runs end with has 500.
func Status(code surgical.Code) int {
	if status, ok := statuses()[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// Answered reports whether requests are answered with the code. The others are
// the codes that only runs end with.
func Answered(code surgical.Code) bool { _, ok := statuses()[code]; return ok }
