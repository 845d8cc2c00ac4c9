package dynamodb

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

// readUnits is what reading this many bytes at once consumes: one unit per 4 KB or part
// of it, also for nothing, and half of that unless the read is consistent.
func readUnits(size int, consistent *bool) float64 {
	units := float64(max(1, (size+4095)/4096))
	if !aws.ToBool(consistent) {
		units /= 2
	}
	return units
}

func sizeOf(items []dynamo.Item) (size int) {
	for _, item := range items {
		size += dynamo.ItemSize(item)
	}
	return size
}

// consumed reports the units if the call asks for them.
func consumed(asked types.ReturnConsumedCapacity, table *string, units float64) *types.ConsumedCapacity {
	if asked != types.ReturnConsumedCapacityTotal {
		return nil
	}
	return &types.ConsumedCapacity{TableName: table, CapacityUnits: &units}
}
