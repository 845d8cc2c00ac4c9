package content

import (
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

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

// entry describes one child: its content hash, the attempt that staged it, and how
// it is stored.
type entry struct {
	Hash    []byte
	Attempt surgical.AttemptID
	// Segments is the number of items that hold the child. More than one is what
	// earlier versions made of a long text. It is [inPieces] if the child is stored
	// in pieces, which an item of the attempt lists.
	Segments int
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

// formerUnits is stored where earlier versions stored write units. They require
// the element and only estimate a cost with it, so both versions can work on the
// same tables during an upgrade (docs/decisions/015).
const formerUnits = 0

// packedEntries is the stored form of entries. Attempts are stored once, in the
// attribute "stages"; an entry is a list of hash, index of the attempt, number of
// segments, and formerUnits.
type packedEntries struct {
	Attempts []string               `dynamodbav:"stages,omitempty"`
	Entries  map[string]packedEntry `dynamodbav:"entries,omitempty"`
}

type packedEntry struct {
	hash              []byte
	attempt, segments int
}

// MarshalDynamoDBAttributeValue implements attributevalue.Marshaler.
func (p packedEntry) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) {
	return packList(p.hash, p.attempt, p.segments, formerUnits), nil
}

// UnmarshalDynamoDBAttributeValue implements attributevalue.Unmarshaler.
func (p *packedEntry) UnmarshalDynamoDBAttributeValue(value types.AttributeValue) (err error) {
	p.hash, err = unpackList(value, &p.attempt, &p.segments)
	return err
}

func packList(hash []byte, numbers ...int) types.AttributeValue {
	list := []types.AttributeValue{&types.AttributeValueMemberB{Value: hash}}
	for _, n := range numbers {
		list = append(list, &types.AttributeValueMemberN{Value: strconv.Itoa(n)})
	}
	return &types.AttributeValueMemberL{Value: list}
}

// unpackList is the inverse of packList. It ignores further elements, such as
// the former units.
func unpackList(value types.AttributeValue, numbers ...*int) ([]byte, error) {
	list, ok := value.(*types.AttributeValueMemberL)
	if !ok || len(list.Value) <= len(numbers) {
		return nil, fmt.Errorf("a manifest entry is a list of %d or more", len(numbers)+1)
	}
	hash, ok := list.Value[0].(*types.AttributeValueMemberB)
	if !ok {
		return nil, fmt.Errorf("a manifest entry begins with its hash")
	}
	for i, number := range numbers {
		n, ok := list.Value[i+1].(*types.AttributeValueMemberN)
		if !ok {
			return nil, fmt.Errorf("a manifest entry holds numbers")
		}
		var err error
		if *number, err = strconv.Atoi(n.Value); err != nil {
			return nil, fmt.Errorf("a manifest entry: %w", err)
		}
	}
	return hash.Value, nil
}

// index numbers names, such as attempt ids, in the order in which they are first
// seen.
type index struct {
	names   []string
	numbers map[string]int
}

func (x *index) of(name string) int {
	if i, ok := x.numbers[name]; ok {
		return i
	}
	if x.numbers == nil {
		x.numbers = map[string]int{}
	}
	x.numbers[name] = len(x.names)
	x.names = append(x.names, name)
	return x.numbers[name]
}

// parseAttempts decodes the names of an index of attempts.
func parseAttempts(packed []string) (attempts []surgical.AttemptID, err error) {
	attempts = make([]surgical.AttemptID, len(packed))
	for i, s := range packed {
		if attempts[i], err = surgical.ParseAttemptID(s); err != nil {
			return nil, err
		}
	}
	return attempts, nil
}

func packEntries(e entries) packedEntries {
	var attempts index
	packed := packedEntries{Entries: make(map[string]packedEntry, len(e))}
	for _, child := range slices.Sorted(maps.Keys(e)) {
		one := e[child]
		packed.Entries[child] = packedEntry{one.Hash, attempts.of(one.Attempt.String()), one.Segments}
	}
	packed.Attempts = attempts.names
	return packed
}

func (p packedEntries) unpack() (entries, error) {
	attempts, err := parseAttempts(p.Attempts)
	if err != nil {
		return nil, err
	}
	e := make(entries, len(p.Entries))
	for child, one := range p.Entries {
		if one.attempt < 0 || one.attempt >= len(attempts) {
			return nil, fmt.Errorf("child %s names attempt %d of %d", child, one.attempt, len(attempts))
		}
		e[child] = entry{Hash: one.hash, Attempt: attempts[one.attempt], Segments: one.segments}
	}
	return e, nil
}

// partRef describes one part of the manifest.
type partRef struct {
	Hash    []byte
	Attempt surgical.AttemptID
}

// packedParts is the stored form of part references.
type packedParts struct {
	Attempts []string     `dynamodbav:"stages,omitempty"`
	Refs     []packedPart `dynamodbav:"refs,omitempty"`
}

type packedPart struct {
	hash    []byte
	attempt int
}

// MarshalDynamoDBAttributeValue implements attributevalue.Marshaler.
func (p packedPart) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) {
	return packList(p.hash, p.attempt, formerUnits), nil
}

// UnmarshalDynamoDBAttributeValue implements attributevalue.Unmarshaler.
func (p *packedPart) UnmarshalDynamoDBAttributeValue(value types.AttributeValue) (err error) {
	p.hash, err = unpackList(value, &p.attempt)
	return err
}

func packParts(refs []partRef) packedParts {
	var attempts index
	packed := packedParts{}
	for _, ref := range refs {
		packed.Refs = append(packed.Refs, packedPart{ref.Hash, attempts.of(ref.Attempt.String())})
	}
	packed.Attempts = attempts.names
	return packed
}

func (p packedParts) unpack() ([]partRef, error) {
	attempts, err := parseAttempts(p.Attempts)
	if err != nil {
		return nil, err
	}
	refs := make([]partRef, len(p.Refs))
	for i, one := range p.Refs {
		if one.attempt < 0 || one.attempt >= len(attempts) {
			return nil, fmt.Errorf("part %d names attempt %d of %d", i, one.attempt, len(attempts))
		}
		refs[i] = partRef{Hash: one.hash, Attempt: attempts[one.attempt]}
	}
	return refs, nil
}
