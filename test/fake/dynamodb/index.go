package dynamodb

import (
	"cmp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// index holds the items of a table that have both of its keys, by partition, each in
// the order of its sort key, then of the primary key. A query costs what it returns,
// however much the table holds.
type index struct {
	table      *table
	schema     tables.Index
	partitions map[string][]dynamo.Item
}

func newIndex(t *table, schema tables.Index) *index {
	return &index{table: t, schema: schema, partitions: map[string][]dynamo.Item{}}
}

// replace puts after in the place of before; nil is none.
func (x *index) replace(before, after dynamo.Item) {
	if !x.has(before) && !x.has(after) {
		return
	}
	if x.has(before) {
		partition, i := x.find(before)
		if x.has(after) && x.samePlace(before, after) {
			x.partitions[partition][i] = after
			return
		}
		if x.partitions[partition] = slices.Delete(x.partitions[partition], i, i+1); len(x.partitions[partition]) == 0 {
			delete(x.partitions, partition)
		}
	}
	if x.has(after) {
		partition, i := x.find(after)
		x.partitions[partition] = slices.Insert(x.partitions[partition], i, after)
	}
}

// has reports whether the index shows the item.
func (x *index) has(item dynamo.Item) bool {
	return item[x.schema.Hash.Name] != nil && item[x.schema.Sort.Name] != nil
}

func (x *index) samePlace(a, b dynamo.Item) bool {
	return partitionOf(a[x.schema.Hash.Name]) == partitionOf(b[x.schema.Hash.Name]) && x.compare(a, b) == 0
}

// find returns the position of the item, or where it would be inserted.
func (x *index) find(item dynamo.Item) (partition string, i int) {
	partition = partitionOf(item[x.schema.Hash.Name])
	i, _ = slices.BinarySearchFunc(x.partitions[partition], item, x.compare)
	return partition, i
}

// compare orders the items of a partition.
func (x *index) compare(a, b dynamo.Item) int {
	if c, _ := compare(a[x.schema.Sort.Name], b[x.schema.Sort.Name]); c != 0 {
		return c
	}
	p, q := x.table.identity(a), x.table.identity(b)
	return cmp.Or(cmp.Compare(p[0], q[0]), cmp.Compare(p[1], q[1]))
}

// view returns one partition of the index.
func (x *index) view(partition types.AttributeValue) view {
	return view{
		items: x.partitions[partitionOf(partition)], sort: &x.schema.Sort, compare: x.compare,
		keys: append(x.table.keys(), x.schema.Hash, x.schema.Sort), keysOnly: true,
	}
}
