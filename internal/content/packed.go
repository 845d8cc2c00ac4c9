package content

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

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
	// Outlines has two numbers for each entry, in the order of the keys: when the child
	// was created, in Unix microseconds, and its bytes. Earlier versions read and write
	// manifests without it.
	Outlines []int64 `dynamodbav:"outlines,omitempty"`
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
	packed, outlined := packedEntries{Entries: make(map[string]packedEntry, len(e))}, e.outlined()
	for _, child := range slices.Sorted(maps.Keys(e)) {
		one := e[child]
		packed.Entries[child] = packedEntry{one.Hash, attempts.of(one.Attempt.String()), one.Segments}
		if outlined {
			packed.Outlines = append(packed.Outlines, one.Outline.Created, int64(one.Outline.Bytes))
		}
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
	outlined := len(p.Outlines) == 2*len(p.Entries)
	for i, child := range slices.Sorted(maps.Keys(p.Entries)) {
		packed := p.Entries[child]
		if packed.attempt < 0 || packed.attempt >= len(attempts) {
			return nil, fmt.Errorf("child %s names attempt %d of %d", child, packed.attempt, len(attempts))
		}
		one := entry{Hash: packed.hash, Attempt: attempts[packed.attempt], Segments: packed.segments}
		if outlined {
			one.Outline = outline{p.Outlines[2*i], int(p.Outlines[2*i+1])}
		}
		e[child] = one
	}
	return e, nil
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
