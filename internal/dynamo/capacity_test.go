package dynamo_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

// The sizes follow "DynamoDB item sizes and formats" of the developer guide.
func TestItemSize_FollowsTheDeveloperGuide(t *testing.T) {
	number := func(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }
	for name, c := range map[string]struct {
		item dynamo.Item
		want int
	}{
		"empty":              {dynamo.Item{}, 0},
		"a string":           {dynamo.Item{"shirt-color": str("R")}, 12},
		"a name in UTF-8":    {dynamo.Item{"größe": str("ü")}, 7 + 2},
		"an empty string":    {dynamo.Item{"a": str("")}, 1},
		"binary":             {dynamo.Item{"b": &types.AttributeValueMemberB{Value: make([]byte, 16)}}, 17},
		"a boolean":          {dynamo.Item{"b": &types.AttributeValueMemberBOOL{Value: true}}, 2},
		"null":               {dynamo.Item{"n": &types.AttributeValueMemberNULL{Value: true}}, 2},
		"zero":               {dynamo.Item{"n": number("0")}, 1 + 1},
		"one digit":          {dynamo.Item{"n": number("7")}, 1 + 2},
		"two digits":         {dynamo.Item{"n": number("12")}, 1 + 2},
		"three digits":       {dynamo.Item{"n": number("123")}, 1 + 3},
		"trailing zeros":     {dynamo.Item{"n": number("1000000")}, 1 + 2},
		"leading zeros":      {dynamo.Item{"n": number("0.0012")}, 1 + 2},
		"a fraction":         {dynamo.Item{"n": number("1.25")}, 1 + 3},
		"negative":           {dynamo.Item{"n": number("-12")}, 1 + 3},
		"a time in micros":   {dynamo.Item{"n": number("1793599208123456")}, 1 + 9},
		"an empty list":      {dynamo.Item{"l": &types.AttributeValueMemberL{}}, 1 + 3},
		"a list":             {dynamo.Item{"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{str("ab"), number("1")}}}, 1 + 3 + (1 + 2) + (1 + 2)},
		"an empty map":       {dynamo.Item{"m": &types.AttributeValueMemberM{}}, 1 + 3},
		"a map":              {dynamo.Item{"m": &types.AttributeValueMemberM{Value: dynamo.Item{"ab": str("c")}}}, 1 + 3 + 1 + 2 + 1},
		"a map in a list":    {dynamo.Item{"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{}}}}, 1 + 3 + 1 + 3},
		"a set of strings":   {dynamo.Item{"s": &types.AttributeValueMemberSS{Value: []string{"ab", "c"}}}, 1 + 3},
		"several attributes": {dynamo.Item{"pk": str("P#1"), "sk": str("head")}, 2 + 3 + 2 + 4},
	} {
		if got := dynamo.ItemSize(c.item); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}

func TestItemSize_OfATypeThatIsNeverWrittenIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a set of numbers has a size")
		}
	}()
	dynamo.ItemSize(dynamo.Item{"n": &types.AttributeValueMemberNS{Value: []string{"1"}}})
}

// An item is never smaller than its texts, and grows with them.
func TestItemSize_GrowsByWhatIsAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.MapOf(rapid.StringMatching(`[a-z_]{1,12}`), rapid.String()).Draw(t, "item")
		item, err := attributevalue.MarshalMap(values)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for name, value := range values {
			want += len(name) + len(value)
		}
		if got := dynamo.ItemSize(item); got != want {
			t.Fatalf("%d bytes, want %d", got, want)
		}
	})
}

func TestReadUnits_OneForEachFourKilobytesBegun(t *testing.T) {
	for size, want := range map[int]int{0: 1, 1: 1, 4095: 1, 4096: 1, 4097: 2, 8192: 2, 8193: 3, 400 << 10: 100} {
		if got := dynamo.ReadUnits(size); got != want {
			t.Errorf("%d bytes: %d units, want %d", size, got, want)
		}
	}
}

func TestWriteUnits_OneForEachKilobyteBegun(t *testing.T) {
	for size, want := range map[int]int{0: 1, 1: 1, 1023: 1, 1024: 1, 1025: 2, 2048: 2, 2049: 3, 400 << 10: 400} {
		if got := dynamo.WriteUnits(size); got != want {
			t.Errorf("%d bytes: %d units, want %d", size, got, want)
		}
	}
}
