package dynamo

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is an item as the SDK represents it.
type Item = map[string]types.AttributeValue

// ItemSize returns the size of an item in bytes by AWS's rules ("DynamoDB item
// sizes and formats"): names and strings as UTF-8, numbers by their significant
// digits, three bytes for a list or map, and one more per element.
func ItemSize(item Item) int {
	size := 0
	for name, value := range item {
		size += len(name) + valueSize(value)
	}
	return size
}

func valueSize(value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return numberSize(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberBOOL, *types.AttributeValueMemberNULL:
		return 1
	case *types.AttributeValueMemberSS:
		size := 0
		for _, s := range v.Value {
			size += len(s)
		}
		return size
	case *types.AttributeValueMemberL:
		size := 3
		for _, element := range v.Value {
			size += 1 + valueSize(element)
		}
		return size
	case *types.AttributeValueMemberM:
		size := 3
		for name, element := range v.Value {
			size += 1 + len(name) + valueSize(element)
		}
		return size
	default:
		panic("dynamo: an attribute type that Lorehook does not write")
	}
}

// numberSize is "approximately", in AWS's words, one byte per two significant
// digits, plus one.
func numberSize(n string) int {
	digits := strings.Trim(strings.TrimPrefix(strings.ReplaceAll(n, ".", ""), "-"), "0")
	size := (len(digits)+1)/2 + 1
	if strings.HasPrefix(n, "-") {
		size++
	}
	return size
}

// WriteUnits returns the write units of an item of size bytes: one per KB or part
// of it. A transaction costs twice as much.
func WriteUnits(size int) int { return max(1, (size+1023)/1024) }

// ReadUnits returns the read units of size bytes that are read with strong consistency:
// one per 4 KB or part of it. A query counts the bytes of all its items together, any
// other read those of each item.
func ReadUnits(size int) int { return max(1, (size+4095)/4096) }
