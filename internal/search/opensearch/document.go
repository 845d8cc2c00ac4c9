package opensearch

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// chunk is the document of a chunk.
type chunk struct {
	Entity   string    `json:"entity"`
	Document string    `json:"document"`
	Chunk    int       `json:"chunk"`
	Hash     string    `json:"hash"`
	Text     string    `json:"text"`
	Vector   []float32 `json:"vector,omitempty"`
	filtered
}

// filtered is what filters match of a chunk. Upper and lower case are the same.
type filtered struct {
	Project int64    `json:"project"`
	Type    string   `json:"type"`
	State   string   `json:"state"`
	Author  string   `json:"author,omitempty"`
	Labels  []string `json:"labels,omitempty"`
	// Created and Updated are in microseconds.
	Created int64 `json:"created,omitempty"`
	Updated int64 `json:"updated,omitempty"`
}

func filteredOf(ref surgical.EntityRef, f search.Facets) filtered {
	fields := filtered{
		Project: ref.ProjectID, Type: string(ref.Type), State: f.State, Author: folded(f.Author),
		Created: micros(f.CreatedAt), Updated: micros(f.UpdatedAt),
	}
	for _, label := range f.Labels {
		fields.Labels = append(fields.Labels, folded(label))
	}
	return fields
}

// micros is the time in microseconds; 0 for the zero time.
func micros(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMicro()
}

// folded replaces every character by the first of those that differ from it only in case,
// so that two texts are folded to the same if strings.EqualFold holds.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		first := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			first = min(first, next)
		}
		return first
	}, text)
}

// maxID is the longest id that OpenSearch accepts, in bytes.
const maxID = 512

// idOf is the id of a chunk's document: [search.ChunkID], unless that is too long.
func idOf(ref surgical.EntityRef, document string, n int) string {
	id := search.ChunkID(ref, document, n)
	if len(id) <= maxID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return ref.Key() + "/" + hex.EncodeToString(sum[:])
}

// catalog is what is indexed of an entity. Its id is the entity's key.
type catalog struct {
	search.Facets
	Documents map[string]search.Indexed `json:"d,omitempty"`
	// Unsettled has how many chunks there may be of documents that a writer began to
	// change: it may have ended, died, or still be at it.
	Unsettled map[string]int `json:"x,omitempty"`
	// Moving reports whether the facets of some chunks may be others.
	Moving bool `json:"m,omitempty"`
	// Gone reports that the entity has no entry. The catalog stays, because its
	// version does.
	Gone bool `json:"g,omitempty"`
}

// catalogued is the document of a catalog. The numbers are counted by maintenance.
type catalogued struct {
	Catalog   catalog `json:"catalog"`
	Documents *int    `json:"documents,omitempty"`
	Chunks    int     `json:"chunks,omitempty"`
}

// document returns the document of the catalog.
func (c catalog) document() catalogued {
	d := catalogued{Catalog: c}
	if !c.Gone {
		n := len(c.Documents)
		d.Documents = &n
	}
	for _, indexed := range c.Documents {
		d.Chunks += indexed.Chunks
	}
	return d
}

// unsettledState is a state that no entity has.
const unsettledState = "\x00unsettled"

// entry is what the catalog says of the entity; false if there is none. What is unsettled
// differs from whatever an entity may have, so that it is written again.
func (c catalog) entry() (search.Entry, bool) {
	if c.Gone && len(c.Unsettled) == 0 {
		return search.Entry{}, false
	}
	entry := search.Entry{Facets: c.Facets, Documents: map[string]search.Indexed{}, Unsettled: c.Moving || c.Gone || len(c.Unsettled) > 0}
	if c.Moving || c.Gone {
		entry.Facets = search.Facets{State: unsettledState}
	}
	for id, indexed := range c.Documents {
		entry.Documents[id] = indexed
	}
	for id, chunks := range c.Unsettled {
		entry.Documents[id] = search.Indexed{Chunks: chunks}
	}
	return entry, true
}

// chunksOf returns how many chunks there may be of a document.
func (c catalog) chunksOf(id string) int { return max(c.Documents[id].Chunks, c.Unsettled[id]) }
