package api

import (
	"encoding/json"
)

const (
	// pageBytes is how much one page of an answer holds. Lambda's answers end at
	// 6 MB, in which the body stands as a JSON string of its own.
	pageBytes = 4 << 20
	// maxPart is the largest part that an answer can carry at all.
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

// sizeOf is the escaped size of what v becomes. What cannot be encoded will
// not be answered either.
func sizeOf(v any) int {
	raw, err := json.Marshal(v)
	if err != nil {
		return 0
	}
	return escapedSize(raw)
}

// budget is what is left of a page.
type budget struct{ bytes, parts int }

// newBudget leaves limit parts; 0 stands for as many as fit.
func newBudget(limit int) *budget {
	if limit == 0 {
		limit = 1 << 30
	}
	return &budget{bytes: pageBytes, parts: limit}
}

// take reports whether a part of the size still fits. The first part of a page
// always does: every page gets ahead.
func (b *budget) take(size int, first bool) bool {
	if b.parts == 0 || !first && size > b.bytes {
		return false
	}
	b.parts--
	b.bytes -= size
	return true
}
