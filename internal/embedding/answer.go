package embedding

import (
	"fmt"
	"net/http"

	"gitlab.com/lorehook/lorehook/internal/retryafter"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// refusal returns the error for a status other than 200.
func refusal(embedder string, status int, header http.Header, cause error) error {
	message := fmt.Sprintf("%s returned status %d", embedder, status)
	switch {
	case isTransient(status):
		return transient(cause, retryafter.Of(header), message)
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
