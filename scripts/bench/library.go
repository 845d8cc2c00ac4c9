package main

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// library makes texts whose words are as unevenly distributed as those of a language, and
// vectors without a meaning.
type library struct {
	random *rand.Rand
	zipf   *rand.Zipf
}

func newLibrary(seed uint64) *library {
	random := rand.New(rand.NewPCG(seed, 7))
	return &library{random, rand.NewZipf(random, 1.05, 4, vocabulary-1)}
}

// words are so many words, as their numbers.
func (l *library) words(n int) []uint32 {
	words := make([]uint32, n)
	for i := range words {
		words[i] = uint32(l.zipf.Uint64())
	}
	return words
}

func (l *library) text(words int) string { return textOf(l.words(words)) }

func textOf(words []uint32) string {
	var b strings.Builder
	for _, word := range words {
		fmt.Fprintf(&b, "w%dx ", word)
	}
	return b.String()
}

func (l *library) vector() []float32 {
	v, norm := make([]float32, dimensions), 0.0
	for i := range v {
		x := l.random.NormFloat64()
		v[i], norm = float32(x), norm+x*x
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(norm))
	}
	return v
}

func (l *library) entity(iid int64, chunks, words int) search.Change {
	d := search.Document{ID: render.EntityID, Indexed: search.Indexed{Hash: hashOf(iid), Chunks: chunks, Model: model}}
	for range chunks {
		d.Texts, d.Vectors = append(d.Texts, l.text(words)), append(d.Vectors, l.vector())
	}
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
	return search.Change{Ref: ref, Facets: search.Facets{State: indexedState, Author: authorOf(iid)}, Put: []search.Document{d}}
}

// indexedState is the state of all entities.
const indexedState = "opened"

// authorOf is the user name of the entity's author, and hashOf the hash of its document.
func authorOf(iid int64) string { return fmt.Sprint("user", iid%50) }
func hashOf(iid int64) string   { return fmt.Sprintf("%064x", iid) }

// everything are the entities of the measured index.
func everything() iter.Seq2[search.Change, error] {
	return func(yield func(search.Change, error) bool) {
		l := newLibrary(1)
		for iid := range int64(indexedChunks / chunksOfOne) {
			if !yield(l.entity(iid+1, chunksOfOne, chunkWords), nil) {
				return
			}
		}
	}
}
