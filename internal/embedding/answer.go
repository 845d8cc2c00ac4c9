package embedding

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// refusal returns the error for a status other than 200.
func refusal(embedder string, status int, header http.Header, cause error) error {
	message := fmt.Sprintf("%s returned status %d", embedder, status)
	switch {
	case isTransient(status):
		return transient(cause, retryAfter(header), message)
	case status == http.StatusUnauthorized:
		return permanent(cause, surgical.ActionCheckToken, message)
	case status == http.StatusForbidden:
		return permanent(cause, surgical.ActionGrantAccess, message)
	default:
		return permanent(cause, surgical.ActionContactOperator, message)
	}
}

func isTransient(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= http.StatusInternalServerError
}

// retryAfter returns the wait in the Retry-After header: seconds, or a date
// relative to the response's own Date header. Anything else is 0.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	sent, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, until.Sub(sent))
}
