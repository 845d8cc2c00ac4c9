package dynamodb

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/tables"
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

// units is what the change consumes, before it is applied: one unit per KB of the item as
// it was or as it will be, whichever is larger, and factor times that in the table. Each
// entry that it adds to an index, removes or changes is one more; a change of an index key
// is a removal and an addition ("Write capacity units" of global secondary indexes).
func (c *change) units(after dynamo.Item, factor int) float64 {
	before := c.before()
	units := factor * dynamo.WriteUnits(max(dynamo.ItemSize(before), dynamo.ItemSize(after)))
	for _, i := range c.table.schema.Indexes {
		was, is := entryOf(i, before), entryOf(i, after)
		if was == is {
			continue
		}
		for _, entry := range []string{was, is} {
			if entry != "" {
				units++
			}
		}
	}
	return float64(units)
}

// entryOf names the item's entry in an index, or is "" if it has none.
func entryOf(i tables.Index, item dynamo.Item) string {
	hash, sort := item[i.Hash.Name], item[i.Sort.Name]
	if hash == nil || sort == nil {
		return ""
	}
	return scalar(hash) + "\x00" + scalar(sort)
}

// consumedOf reports units by table if the call asks for them.
func consumedOf(asked types.ReturnConsumedCapacity, units map[string]float64) (all []types.ConsumedCapacity) {
	for _, table := range sorted(units) {
		if c := consumed(asked, &table, units[table]); c != nil {
			all = append(all, *c)
		}
	}
	return all
}

// consumed reports the units if the call asks for them.
func consumed(asked types.ReturnConsumedCapacity, table *string, units float64) *types.ConsumedCapacity {
	if asked != types.ReturnConsumedCapacityTotal {
		return nil
	}
	return &types.ConsumedCapacity{TableName: table, CapacityUnits: &units}
}
