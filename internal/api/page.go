package api

import (
	"encoding/json"
)

const (
	// pageBytes is the maximum size of one page. A Lambda response is limited to
	// 6 MB, in which the body is encoded as a JSON string.
	pageBytes = 4 << 20
	// maxPart is the largest part that fits into any response.
	maxPart = 5 << 20
)

// escapedSize is the size of JSON within a JSON string.
func escapedSize(raw []byte) int {
	size := len(raw)
	for _, c := range raw {
		if c == '"' || c == '\\' {
			size++
		}
	}
	return size
}

// sizeOf is the escaped size of v in JSON. A value that cannot be encoded cannot
// be part of a response either.
func sizeOf(v any) int {
	raw, err := json.Marshal(v)
	if err != nil {
		return 0
	}
	return escapedSize(raw)
}

// budget is the space left in a page.
type budget struct{ bytes, parts int }

// newBudget allows limit parts; 0 means as many as fit.
func newBudget(limit int) *budget {
	if limit == 0 {
		limit = 1 << 30
	}
	return &budget{bytes: pageBytes, parts: limit}
}

// take reports whether a part of the size still fits. The first part of a page
// always does, so every page makes progress.
func (b *budget) take(size int, first bool) bool {
	if b.parts == 0 || !first && size > b.bytes {
		return false
	}
	b.parts--
	b.bytes -= size
	return true
}

// left returns how many bytes and parts still fit, as a [content.Room].
func (b *budget) left() (bytes, parts int) { return b.bytes, b.parts }
