package content

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func attempts() *rapid.Generator[surgical.AttemptID] {
	return rapid.Custom(func(t *rapid.T) surgical.AttemptID {
		return surgical.AttemptID{RunID: rapid.StringMatching(`[a-z][a-z0-9]{0,26}`).Draw(t, "run"), Number: rapid.Int64Range(1, 99).Draw(t, "attempt")}
	})
}

// stored packs a value into an item and unpacks it into another.
func stored[T any](t *rapid.T, in T) (out T) {
	item, err := attributevalue.MarshalMap(map[string]T{"v": in})
	if err != nil {
		t.Fatal(err)
	}
	wrapped := map[string]T{}
	if err := attributevalue.UnmarshalMap(item, &wrapped); err != nil {
		t.Fatal(err)
	}
	return wrapped["v"]
}

func TestPackEntries_UnpackGivesThemBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := entries(rapid.MapOf(rapid.StringMatching(`discussion#[0-9a-f]{1,40}`), rapid.Custom(func(t *rapid.T) entry {
			return entry{
				Hash: rapid.SliceOfN(rapid.Byte(), hashSize, hashSize).Draw(t, "hash"), Attempt: attempts().Draw(t, "attempt"),
				Segments: rapid.IntRange(1, 999).Draw(t, "segments"),
				Outline:  outline{rapid.Int64().Draw(t, "created"), rapid.IntRange(1, 1<<30).Draw(t, "bytes")},
			}
		})).Draw(t, "entries"))
		if rapid.Bool().Draw(t, "carried on by an earlier version") {
			for child, one := range want {
				one.Outline = outline{}
				want[child] = one
			}
		}
		got, err := stored(t, packEntries(want)).unpack()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("entries (-want +got):\n%s", diff)
		}
	})
}

// Only its place says whose an outline is.
func TestUnpack_LeavesOutOutlinesThatDoNotFitTheEntries(t *testing.T) {
	by := surgical.AttemptID{RunID: "r", Number: 1}
	want := entries{"a": {[]byte("1"), by, 1, outline{1, 2}}, "b": {[]byte("2"), by, 1, outline{3, 4}}}
	for _, outlines := range [][]int64{nil, {}, {1}, {1, 2}, {1, 2, 3}, {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4}} {
		packed := packEntries(want)
		packed.Outlines = outlines
		got, err := packed.unpack()
		if err != nil || len(got) != 2 || got.outlined() != (len(outlines) == 4) {
			t.Errorf("%v: %+v, %v", outlines, got, err)
		}
	}
	want["b"] = entry{Hash: []byte("2"), Attempt: by}
	if packed := packEntries(want); packed.Outlines != nil {
		t.Errorf("outlines of some entries are stored: %v", packed.Outlines)
	}
}

func TestPackParts_UnpackGivesThemBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.Custom(func(t *rapid.T) partRef {
			return partRef{Hash: rapid.SliceOfN(rapid.Byte(), hashSize, hashSize).Draw(t, "hash"), Attempt: attempts().Draw(t, "attempt")}
		})).Draw(t, "parts")
		got, err := stored(t, packParts(want)).unpack()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("parts (-want +got):\n%s", diff)
		}
	})
}

func TestUnpack_RefusesWhatPackNeverWrites(t *testing.T) {
	hash, number, text := &types.AttributeValueMemberB{Value: []byte("h")}, &types.AttributeValueMemberN{Value: "1"}, &types.AttributeValueMemberS{Value: "1"}
	list := func(values ...types.AttributeValue) types.AttributeValue {
		return &types.AttributeValueMemberL{Value: values}
	}
	for name, value := range map[string]types.AttributeValue{
		"no list": number, "an empty list": list(), "too few numbers": list(hash, number), "no hash": list(number, number, number),
		"a text": list(hash, text, number), "a fraction": list(hash, number, &types.AttributeValueMemberN{Value: "1.5"}),
	} {
		var one packedEntry
		if err := one.UnmarshalDynamoDBAttributeValue(value); err == nil {
			t.Errorf("%s is an entry: %+v", name, one)
		}
		var part packedPart
		if err := part.UnmarshalDynamoDBAttributeValue(value); err == nil && name != "too few numbers" && name != "a fraction" {
			t.Errorf("%s is a part: %+v", name, part)
		}
	}
	for _, n := range []int{-1, 1} {
		if e, err := (packedEntries{Attempts: []string{"r1.1"}, Entries: map[string]packedEntry{"c": {attempt: n}}}).unpack(); err == nil {
			t.Errorf("an entry of attempt %d of 1: %+v", n, e)
		}
		if p, err := (packedParts{Attempts: []string{"r1.1"}, Refs: []packedPart{{attempt: n}}}).unpack(); err == nil {
			t.Errorf("a part of attempt %d of 1: %+v", n, p)
		}
	}
}

// The hash of a part decides whether the part is written: it covers which
// children there are and their content, not where they are stored.
func TestEntriesHash_CoversIDsAndContentOnly(t *testing.T) {
	base := entries{"a": {Hash: []byte("1")}, "b": {Hash: []byte("2")}}
	for name, c := range map[string]struct {
		e    entries
		same bool
	}{
		"the same":        {entries{"b": {Hash: []byte("2")}, "a": {Hash: []byte("1")}}, true},
		"another attempt": {entries{"a": {Hash: []byte("1"), Attempt: surgical.AttemptID{RunID: "r", Number: 2}, Segments: 3}, "b": {Hash: []byte("2")}}, true},
		"another content": {entries{"a": {Hash: []byte("3")}, "b": {Hash: []byte("2")}}, false},
		"one more":        {entries{"a": {Hash: []byte("1")}, "b": {Hash: []byte("2")}, "c": {Hash: []byte("3")}}, false},
		"one less":        {entries{"a": {Hash: []byte("1")}}, false},
		"swapped":         {entries{"a": {Hash: []byte("2")}, "b": {Hash: []byte("1")}}, false},
		"another id":      {entries{"a": {Hash: []byte("1")}, "c": {Hash: []byte("2")}}, false},
	} {
		if same := string(c.e.hash()) == string(base.hash()); same != c.same {
			t.Errorf("%s: same hash %v", name, same)
		}
	}
}

func TestPartCount_StaysWhileItWillDo(t *testing.T) {
	for _, c := range []struct{ children, present, want int }{
		{0, 0, 0}, {50, 0, 0}, {50, 4, 0},
		{51, 0, 2}, {64, 0, 2}, {65, 0, 4}, {1000, 0, 32}, {1024, 0, 32}, {1025, 0, 64},
		{1025, 32, 32}, {1536, 32, 32}, {1537, 32, 64}, {256, 32, 32}, {255, 32, 8},
		{16_384, 0, 512}, {16_385, 0, 512}, {32_769, 0, 1024}, {20_000, 512, 512},
	} {
		if got := partCount(c.children, c.present); got != c.want {
			t.Errorf("%d children, %d parts so far: %d parts, want %d", c.children, c.present, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		children, present := rapid.IntRange(0, 60_000).Draw(t, "children"), rapid.SampledFrom([]int{0, 2, 32, 512, 1024}).Draw(t, "present")
		n := partCount(children, present)
		if n == 0 != (children <= inlineChildren) || n > 0 && (n&(n-1) != 0 || children > n*partChildren*3 || children < n*partChildren/4) {
			t.Fatalf("%d children, %d parts so far: %d parts", children, present, n)
		}
	})
}

func TestPartition_PutsEveryChildIntoThePartOfItsID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{2, 4, 32}).Draw(t, "parts")
		all := entries{}
		for i := range rapid.IntRange(0, 200).Draw(t, "children") {
			all[fmt.Sprintf("discussion#%d", i)] = entry{Segments: i}
		}
		parts := all.partition(n)
		joined := entries{}
		for i, part := range parts {
			for child, e := range part {
				if partOf(child, n) != i {
					t.Fatalf("%s is in part %d", child, i)
				}
				joined[child] = e
			}
		}
		if len(parts) != n || !cmp.Equal(all, joined) {
			t.Fatalf("%d parts of %d children hold %d", len(parts), len(all), len(joined))
		}
	})
}

func TestAttemptOfKey_IsTheInverseOfTheKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		by := attempts().Draw(t, "attempt")
		token := TextToken(by.RunID, rapid.Int64Range(0, 99).Draw(t, "claim"), 3, 1)
		n := rapid.IntRange(0, 999).Draw(t, "n")
		for sk, want := range map[string]surgical.AttemptID{
			childKey("resource_label_event#12", by, n): by,
			partKey(n, by):                              by,
			docTextKey("discussion#6a9c", token, n):     {RunID: by.RunID},
			docTextKey("entity", token, n):              {RunID: by.RunID},
			childKey("discussion#6a9c1750b37d", by, 12): by,
			pieceListKey("discussion#6a9c", by):         by,
			pieceKey(ofChild("description#0"), pieceRef{Hash: []byte{1, 0xaf}, By: by.String()}): by,
			pieceKey(ofDocument("discussion#6a9c"), pieceRef{Hash: []byte{1, 0xaf}, By: token}):  {RunID: by.RunID},
		} {
			if got, err := attemptOfKey(sk); err != nil || got != want {
				t.Fatalf("%s: %+v, %v", sk, got, err)
			}
		}
	})
}

func TestJoinBodies_RefusesWhatIsNoFrame(t *testing.T) {
	for _, bodies := range [][]body{{}, {{Zstd: []byte("x")}}, {{Text: "a"}, {Text: "b"}, {Zstd: []byte("c")}}} {
		if text, err := joinBodies(bodies); err == nil {
			t.Errorf("%v is joined to %q", bodies, text)
		}
	}
}

func TestTransactUnits_TwiceThoseOfSingleWrites(t *testing.T) {
	small := dynamo.Item{"pk": &types.AttributeValueMemberS{Value: "abc"}}
	large := dynamo.Item{"pk": &types.AttributeValueMemberS{Value: strings.Repeat("a", 2000)}}
	items := []types.TransactWriteItem{
		{Put: &types.Put{Item: small}}, {Put: &types.Put{Item: large}}, {Delete: &types.Delete{Key: small}}, {ConditionCheck: &types.ConditionCheck{Key: small}},
	}
	if got := transactUnits(items); got != 2*(1+2+1+1) {
		t.Errorf("%d units", got)
	}
}

// The version before this one refuses an entry or a part reference of any other
// length.
func TestPackedEntries_KeepTheLengthThatEarlierVersionsRequire(t *testing.T) {
	attempt := surgical.AttemptID{RunID: "r1", Number: 1}
	for name, c := range map[string]struct {
		pack interface {
			MarshalDynamoDBAttributeValue() (types.AttributeValue, error)
		}
		want int
	}{
		"entry":          {packEntries(entries{"c": {Hash: []byte("h"), Attempt: attempt, Segments: 2}}).Entries["c"], 4},
		"part reference": {packParts([]partRef{{Hash: []byte("h"), Attempt: attempt}}).Refs[0], 3},
	} {
		value, err := c.pack.MarshalDynamoDBAttributeValue()
		if err != nil {
			t.Fatal(err)
		}
		if got := len(value.(*types.AttributeValueMemberL).Value); got != c.want {
			t.Errorf("%s: %d elements, want %d", name, got, c.want)
		}
	}
}
