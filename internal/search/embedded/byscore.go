package embedded

import (
	"encoding/binary"
	"math"

	"github.com/blevesearch/bleve/v2/search"
)

// byScore orders by the score as a float32, the greatest first. bleve adds up the scores of
// many terms in an order that depends on its segments, so the last digits of equal scores
// differ.
type byScore struct{}

// Value implements [search.SearchSort].
func (byScore) Value(d *search.DocumentMatch) string {
	// The bits of floats that are not negative have the order of the floats.
	var bits [4]byte
	binary.BigEndian.PutUint32(bits[:], math.Float32bits(float32(d.Score)))
	return string(bits[:])
}

// DecodeValue implements [search.SearchSort].
func (byScore) DecodeValue(value string) string { return value }

// Descending implements [search.SearchSort].
func (byScore) Descending() bool { return true }

// RequiresDocID implements [search.SearchSort].
func (byScore) RequiresDocID() bool { return false }

// RequiresScoring implements [search.SearchSort]: with true, bleve would compare the scores
// themselves.
func (byScore) RequiresScoring() bool { return false }

// RequiresFields implements [search.SearchSort].
func (byScore) RequiresFields() []string { return nil }

// UpdateVisitor implements [search.SearchSort].
func (byScore) UpdateVisitor(string, []byte) {}

// Reverse implements [search.SearchSort]. bleve reverses only for a page before another one,
// which is not asked for.
func (byScore) Reverse() {}

// Copy implements [search.SearchSort].
func (s byScore) Copy() search.SearchSort { return s }
