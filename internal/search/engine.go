package search

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Engine is an index. It is safe for concurrent use, also by several processes.
type Engine interface {
	// Search returns the best candidates for the query, at most depth of them. Without
	// an index, the error is [surgical.CodeIndexNotReady].
	Search(ctx context.Context, q Query, depth int) (Candidates, error)
	// Position returns up to where the index has followed its source. If it has to be
	// rebuilt first, rebuild says why.
	Position(ctx context.Context) (at Position, rebuild string, err error)
	// Known returns what the index has of the entities, at the Position that was returned
	// last or later. Entities that it does not have are left out.
	Known(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]Entry, error)
	// Apply adds the changes and moves the position, both or neither. from is the
	// Position that was returned before the changes were read. If another indexer
	// applied anything in between, or rebuilt the index, nothing is changed, and the
	// error is [ErrMoved]: so whatever is applied later was also read later.
	Apply(ctx context.Context, from, to Position, changes []Change) error
	// Rebuild replaces the index with what the changes add up to. at is a position
	// from before they were read. Until it ends, the old index answers.
	Rebuild(ctx context.Context, at Position, changes iter.Seq2[Change, error]) error
	// Maintain does what keeps the index intact, and deletes what is no longer of use. due
	// reports that the index has to be compacted. If it has to be rebuilt, the error is
	// [ErrDamaged].
	Maintain(ctx context.Context) (due bool, err error)
	// Compact makes the index small again if that is due. Like Rebuild, it may take memory
	// and temporary storage for all of the index. Until it ends, the old index answers.
	Compact(ctx context.Context) error
}

// ErrMoved reports that another indexer changed the index: read its position again.
var ErrMoved = manifest.ErrMoved

// UnlessMoved drops an error that can be left to the other indexer.
func UnlessMoved(err error) error {
	if errors.Is(err, ErrMoved) {
		return nil
	}
	return err
}

// ErrDamaged reports that a part of the index is missing or not as it was written.
var ErrDamaged = errors.New("a part of the index is missing or damaged")

// Position is a place in a source of changes.
type Position struct {
	// Cursor is the source's.
	Cursor string
	// AsOf is when the source had no change beyond this place.
	AsOf time.Time
	// Edition is the engine's: it counts what was applied, and rebuilds.
	Edition int64
}

// PositionOf returns up to where the index of the manifest has followed its source.
func PositionOf(m manifest.Manifest) Position {
	return Position{Cursor: m.Cursor, AsOf: time.UnixMicro(m.AsOf).UTC(), Edition: m.Edition}
}

// Facets are what filters match of an entity, besides its project and type.
type Facets struct {
	State     string    `json:"s,omitempty"`
	Author    string    `json:"a,omitempty"`
	Labels    []string  `json:"l,omitempty"`
	CreatedAt time.Time `json:"c,omitzero"`
	UpdatedAt time.Time `json:"u,omitzero"`
}

// FacetsOf returns the facets of a head.
func FacetsOf(head surgical.Head) Facets {
	a := head.Attributes
	f := Facets{State: a.State, Labels: a.Labels, UpdatedAt: head.UpdatedAt.UTC()}
	if a.Author != nil {
		f.Author = a.Author.Username
	}
	if at, ok := surgical.ParseTime(a.CreatedAt); ok {
		f.CreatedAt = at.UTC()
	}
	return f
}

// Equal reports whether the facets are the same.
func (f Facets) Equal(o Facets) bool {
	return f.State == o.State && f.Author == o.Author && slices.Equal(f.Labels, o.Labels) &&
		f.CreatedAt.Equal(o.CreatedAt) && f.UpdatedAt.Equal(o.UpdatedAt)
}

// Entry is what an index has of an entity.
type Entry struct {
	Facets
	// Documents has the documents by their ids.
	Documents map[string]Indexed
	// Unsettled reports that a writer began to change the entry, and did not say that it
	// ended: any document may differ, whether it changed or not.
	Unsettled bool
}

// Indexed is a document as an index has it.
type Indexed struct {
	// Hash is that of the document.
	Hash string `json:"h"`
	// Chunks is how many chunks it has.
	Chunks int `json:"n"`
	// Model is that of its vectors; "" if it has none.
	Model string `json:"m,omitempty"`
}

// Change brings what an index has of one entity up to date.
type Change struct {
	Ref surgical.EntityRef
	// Gone removes the entity; nothing else is set then.
	Gone bool
	Facets
	// Put adds or replaces documents, and Removed removes them by their ids.
	Put     []Document
	Removed []string
}

// Document is a document for an index.
type Document struct {
	ID string
	Indexed
	// Texts are those of the chunks.
	Texts []string
	// Vectors are those of the chunks, if Model is set; nil for a chunk without one.
	Vectors [][]float32
}

// bytes is the size of the texts and vectors.
func (d Document) bytes() (n int64) {
	for _, text := range d.Texts {
		n += int64(len(text))
	}
	for _, vector := range d.Vectors {
		n += int64(len(vector)) * 4
	}
	return n
}

// Candidates is what an engine found.
type Candidates struct {
	// Found are chunks, best first.
	Found []Candidate
	// More reports whether a greater depth may find more.
	More bool
	// Mode says how they were found. Model is that of the vectors, if any took part.
	Mode  Mode
	Model string
	// Reason is why no vectors took part although there is a model; "" otherwise.
	Reason string
	// AsOf is that of the position that the index has followed.
	AsOf time.Time
}

// Candidate is a chunk that may match.
type Candidate struct {
	Ref      surgical.EntityRef
	Document string
	Chunk    int
	// Hash is that of the document that was indexed.
	Hash string
	// Score is comparable within one answer only.
	Score float64
}

// Mode is how an engine searches.
type Mode string

// The modes.
const (
	// Lexical: by words (BM25).
	Lexical Mode = "lexical"
	// Hybrid: by words and by vectors, their ranks fused.
	Hybrid Mode = "hybrid"
)
