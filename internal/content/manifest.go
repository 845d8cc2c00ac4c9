package content

import (
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// inlineChildren is how many children a head names directly; a larger
	// manifest is split into parts.
	inlineChildren = 50
	// partChildren is the target average number of children per part, about 2 KB.
	partChildren = 32
	// manyChildren is the size beyond which parts are twice as large, so that
	// their references still fit into the head.
	manyChildren = 16_384
)

// entry describes one child: its content hash, the attempt that staged it, how it is
// stored, and its outline.
type entry struct {
	Hash    []byte
	Attempt surgical.AttemptID
	// Segments is the number of items that hold the child. More than one is what
	// earlier versions made of a long text. It is [inPieces] if the child is stored
	// in pieces, which an item of the attempt lists.
	Segments int
	Outline  outline
}

// inPieces is the number of segments of a child or document that is stored in
// pieces. Earlier versions look for that many segments and fail, because there are
// none; they themselves never wrote so many.
const inPieces = 1000

// keys returns the sort keys of the items that the entry itself names: those of the
// child, or the list of its pieces.
func (e entry) keys(child string) []string {
	if e.Segments == inPieces {
		return []string{pieceListKey(child, e.Attempt)}
	}
	keys := make([]string, e.Segments)
	for i := range keys {
		keys[i] = childKey(child, e.Attempt, i)
	}
	return keys
}

// textKeys returns the sort keys of the items that hold the child's text, in order;
// pieces is the list of its pieces, if it has one.
func (e entry) textKeys(child string, pieces []pieceRef) []string {
	if e.Segments == inPieces {
		return keysOf(pieces, ofChild(child))
	}
	return e.keys(child)
}

// allKeys returns the sort keys of all items that the entry names, directly or
// through the list of its pieces.
func (e entry) allKeys(child string, pieces []pieceRef) []string {
	return append(e.keys(child), keysOf(pieces, ofChild(child))...)
}

// entries is a manifest, or a part of one, by the keys of the children.
type entries map[string]entry

// hash covers ids and content hashes, but not where the items are stored: parts
// with the same hash have the same content.
func (e entries) hash() []byte {
	h := sha256.New()
	for _, child := range slices.Sorted(maps.Keys(e)) {
		fmt.Fprintf(h, "%d %s %x\n", len(child), child, e[child].Hash)
	}
	return h.Sum(nil)[:hashSize]
}

// inPieces returns the entries of children that are stored in pieces.
func (e entries) inPieces() entries {
	long := entries{}
	for child, entry := range e {
		if entry.Segments == inPieces {
			long[child] = entry
		}
	}
	return long
}

// only returns the entries of those children that have one.
func (e entries) only(children []string) entries {
	named := make(entries, len(children))
	for _, child := range children {
		if entry, ok := e[child]; ok {
			named[child] = entry
		}
	}
	return named
}

// keys returns the keys of the items that the entries themselves name.
func (e entries) keys(ref surgical.EntityRef) []dynamo.Item {
	var keys []dynamo.Item
	for child, entry := range e {
		for _, sk := range entry.keys(child) {
			keys = append(keys, key(ref, sk))
		}
	}
	return keys
}

// partition divides the entries into n parts by the children's ids.
func (e entries) partition(n int) []entries {
	parts := make([]entries, n)
	for i := range parts {
		parts[i] = entries{}
	}
	for child, entry := range e {
		parts[partOf(child, n)][child] = entry
	}
	return parts
}

func partOf(child string, n int) int {
	h := fnv.New32a()
	h.Write([]byte(child))
	return int(h.Sum32() % uint32(n))
}

// partCount returns the number of parts for a manifest of this many children; 0
// means that the head names them directly. It keeps the present number as long
// as the average size is acceptable, because a different number rewrites every
// part.
func partCount(children, present int) int {
	if children <= inlineChildren {
		return 0
	}
	size := partChildren
	if children > manyChildren {
		size *= 2
	}
	if present > 0 && children >= present*size/4 && children <= present*size*3/2 {
		return present
	}
	n := 2
	for children > n*size {
		n *= 2
	}
	return n
}

// partRef describes one part of the manifest.
type partRef struct {
	Hash    []byte
	Attempt surgical.AttemptID
}
