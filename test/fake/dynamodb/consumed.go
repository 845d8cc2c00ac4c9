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
	c.table.wrote("", scalar(c.key[c.table.schema.Hash.Name]), units)
	for _, i := range c.table.schema.Indexes {
		was, is := entryOf(i, before), entryOf(i, after)
		if was == is {
			continue
		}
		for entry, item := range map[string]dynamo.Item{was: before, is: after} {
			if entry != "" {
				units++
				c.table.wrote("."+i.Name, scalar(item[i.Hash.Name]), 1)
			}
		}
	}
	return float64(units)
}

// wrote counts the units of a partition key of the table, or of an index of it.
func (t *table) wrote(index, key string, units int) {
	if t.written == nil {
		return
	}
	if t.written[index] == nil {
		t.written[index] = map[string]float64{}
	}
	t.written[index][key] += float64(units)
}

// CountKeys begins to count write units by partition key, for [DB.Hottest].
func (db *DB) CountKeys() {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, t := range db.tables {
		t.written = map[string]map[string]float64{}
	}
}

// Hottest returns the write units of the partition key of each table, and of each index as
// table.index, to which most was written since CountKeys.
func (db *DB) Hottest() map[string]float64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	hottest := map[string]float64{}
	for name, t := range db.tables {
		for index, keys := range t.written {
			for _, units := range keys {
				hottest[name+index] = max(hottest[name+index], units)
			}
		}
	}
	return hottest
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
