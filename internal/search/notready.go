package search

import (
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// NotReady is the failure of a query without an index.
func NotReady() *surgical.Error {
	return notReady(nil, "there is no search index yet: it is built within minutes of the first document")
}

// Damaged is the failure of a query without a part of the index that can be used. Its cause
// is [ErrDamaged].
func Damaged(cause error) *surgical.Error {
	return notReady(fmt.Errorf("%w: %w", ErrDamaged, cause), "the search index is damaged, and is rebuilt within minutes")
}

func notReady(cause error, message string) *surgical.Error {
	err := surgical.WrapError(surgical.CodeIndexNotReady, cause, message)
	err.RetryAfter = surgical.UnavailableRetryAfter
	return err
}
