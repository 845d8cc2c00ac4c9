package dynamodb

import (
	"iter"
	"slices"
	"sort"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// maxItemBytes is DynamoDB's size limit of an item.
const maxItemBytes = 400 << 10

// table holds its items by partition, each in the order of its sort keys, and its
// indexes. Stored items are never changed in place.
type table struct {
	schema     tables.Table
	partitions map[string][]dynamo.Item
	// names are the partitions, in order.
	names   []string
	indexes []*index
	// written is the write units by index, "" for the table, and by partition key; nil if
	// they are not counted.
	written map[string]map[string]float64
}

func newTable(schema tables.Table) *table {
	t := &table{schema: schema, partitions: map[string][]dynamo.Item{}}
	for _, i := range schema.Indexes {
		t.indexes = append(t.indexes, newIndex(t, i))
	}
	return t
}

// keys are the names of the primary key's attributes.
func (t *table) keys() []tables.Key {
	if t.schema.Sort == nil {
		return []tables.Key{t.schema.Hash}
	}
	return []tables.Key{t.schema.Hash, *t.schema.Sort}
}

// checkKey rejects a key that does not have exactly the table's key attributes.
func (t *table) checkKey(key dynamo.Item) error {
	if len(key) != len(t.keys()) {
		return invalid("The provided key element does not match the schema")
	}
	return t.checkKeyOf(key)
}

// checkKeyOf rejects an item without a valid key, and one whose attributes are
// not valid index keys.
func (t *table) checkKeyOf(item dynamo.Item) error {
	for _, k := range t.keys() {
		value, ok := item[k.Name]
		if !ok || !fits(k, value) {
			return invalid("The provided key element does not match the schema")
		}
		if s, ok := value.(*types.AttributeValueMemberS); ok && s.Value == "" {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", k.Name)
		}
		if err := checkValue(value); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) checkIndexKeys(item dynamo.Item) error {
	for _, index := range t.schema.Indexes {
		for _, k := range []tables.Key{index.Hash, index.Sort} {
			value, ok := item[k.Name]
			if !ok {
				continue
			}
			if s, isString := value.(*types.AttributeValueMemberS); !fits(k, value) || isString && s.Value == "" {
				return invalid("One or more parameter values were invalid: Type mismatch or empty value for Index Key %s", k.Name)
			}
		}
	}
	return nil
}

func fits(k tables.Key, value types.AttributeValue) bool {
	if k.Number {
		_, ok := value.(*types.AttributeValueMemberN)
		return ok
	}
	_, ok := value.(*types.AttributeValueMemberS)
	return ok
}

func scalar(value types.AttributeValue) string {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// partitionOf names the partition of a hash key's value, which two spellings of one
// number share.
func partitionOf(value types.AttributeValue) string {
	n, ok := value.(*types.AttributeValueMemberN)
	if !ok {
		return scalar(value)
	}
	if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
		return strconv.FormatInt(i, 10)
	}
	r, ok := number(n.Value)
	if !ok {
		return n.Value
	}
	return r.RatString()
}

// find returns the position of the key's item, or where it would be inserted.
func (t *table) find(key dynamo.Item) (partition string, i int, found bool) {
	partition = partitionOf(key[t.schema.Hash.Name])
	if t.schema.Sort == nil {
		return partition, 0, len(t.partitions[partition]) > 0
	}
	name := t.schema.Sort.Name
	i, found = slices.BinarySearchFunc(t.partitions[partition], key[name], func(item dynamo.Item, sort types.AttributeValue) int {
		c, _ := compare(item[name], sort)
		return c
	})
	return partition, i, found
}

func (t *table) get(key dynamo.Item) dynamo.Item {
	partition, i, found := t.find(key)
	if !found {
		return nil
	}
	return t.partitions[partition][i]
}

// put stores the item itself, without copying it.
func (t *table) put(item dynamo.Item) {
	partition, i, found := t.find(item)
	items := t.partitions[partition]
	if found {
		t.reindex(items[i], item)
		items[i] = item
		return
	}
	t.reindex(nil, item)
	if len(items) == 0 {
		at, _ := slices.BinarySearch(t.names, partition)
		t.names = slices.Insert(t.names, at, partition)
	}
	t.partitions[partition] = slices.Insert(items, i, item)
}

func (t *table) delete(key dynamo.Item) {
	partition, i, found := t.find(key)
	if !found {
		return
	}
	t.reindex(t.partitions[partition][i], nil)
	if t.partitions[partition] = slices.Delete(t.partitions[partition], i, i+1); len(t.partitions[partition]) == 0 {
		delete(t.partitions, partition)
		at, _ := slices.BinarySearch(t.names, partition)
		t.names = slices.Delete(t.names, at, at+1)
	}
}

// reindex replaces an item by another in every index; nil is none.
func (t *table) reindex(before, after dynamo.Item) {
	for _, i := range t.indexes {
		i.replace(before, after)
	}
}

// after lists the items behind the key, partition after partition; without a key, all.
func (t *table) after(key dynamo.Item) iter.Seq[dynamo.Item] {
	return func(yield func(dynamo.Item) bool) {
		first, skip := 0, 0
		if key != nil {
			partition, i, found := t.find(key)
			first, _ = slices.BinarySearch(t.names, partition)
			if skip = i; found {
				skip++
			}
			if len(t.partitions[partition]) == 0 {
				skip = 0 // of another partition
			}
		}
		for _, partition := range t.names[first:] {
			for _, item := range t.partitions[partition][skip:] {
				if !yield(item) {
					return
				}
			}
			skip = 0
		}
	}
}

// primaryKey returns only the key attributes of the item.
func (t *table) primaryKey(item dynamo.Item) dynamo.Item {
	key := dynamo.Item{}
	for _, k := range t.keys() {
		key[k.Name] = item[k.Name]
	}
	return key
}

// identity is the primary key as one comparable value.
func (t *table) identity(item dynamo.Item) [2]string {
	id := [2]string{scalar(item[t.schema.Hash.Name])}
	if t.schema.Sort != nil {
		id[1] = scalar(item[t.schema.Sort.Name])
	}
	return id
}

// view is what a query reads: one partition of the table or of one of its indexes.
type view struct {
	// items are in the order of compare.
	items   []dynamo.Item
	sort    *tables.Key
	compare func(a, b dynamo.Item) int
	// keys are the attributes of a place within the view.
	keys []tables.Key
	// keysOnly says that only keys are projected.
	keysOnly bool
}

// tableView returns one partition of the table.
func (t *table) tableView(partition types.AttributeValue) view {
	return view{items: t.partitions[partitionOf(partition)], sort: t.schema.Sort, compare: t.compare, keys: t.keys()}
}

// compare orders the items of a partition.
func (t *table) compare(a, b dynamo.Item) int {
	if t.schema.Sort == nil {
		return 0
	}
	c, _ := compare(a[t.schema.Sort.Name], b[t.schema.Sort.Name])
	return c
}

// where returns the part of the view for which the condition on the sort key holds.
func (v view) where(s *scope, condition *node) view {
	if condition == nil {
		return v
	}
	side := func(i int) int { return s.side(condition, v.items[i][v.sort.Name]) }
	low := sort.Search(len(v.items), func(i int) bool { return side(i) >= 0 })
	high := sort.Search(len(v.items), func(i int) bool { return side(i) > 0 })
	v.items = v.items[low:max(low, high)]
	return v
}

// after returns the items behind the place, all of them without one, forwards or
// backwards.
func (v view) after(place dynamo.Item, backwards bool) iter.Seq[dynamo.Item] {
	items := v.items
	if place != nil {
		i, found := slices.BinarySearchFunc(items, place, v.compare)
		switch {
		case backwards:
			items = items[:i]
		case found:
			items = items[i+1:]
		default:
			items = items[i:]
		}
	}
	if !backwards {
		return slices.Values(items)
	}
	return func(yield func(dynamo.Item) bool) {
		for _, item := range slices.Backward(items) {
			if !yield(item) {
				return
			}
		}
	}
}

// place returns the key of the item within the view.
func (v view) place(item dynamo.Item) dynamo.Item {
	key := dynamo.Item{}
	for _, k := range v.keys {
		key[k.Name] = copyValue(item[k.Name])
	}
	return key
}
