package dynamodb

import (
	"cmp"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// maxItemBytes is DynamoDB's size limit of an item.
const maxItemBytes = 400 << 10

// table holds its items by partition, each in the order of its sort keys.
// Stored items are never changed in place.
type table struct {
	schema     tables.Table
	partitions map[string][]dynamo.Item
}

func newTable(schema tables.Table) *table {
	return &table{schema: schema, partitions: map[string][]dynamo.Item{}}
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

// find returns the position of the key's item, or where it would be inserted.
func (t *table) find(key dynamo.Item) (partition string, i int, found bool) {
	partition = scalar(key[t.schema.Hash.Name])
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
	if found {
		t.partitions[partition][i] = item
		return
	}
	t.partitions[partition] = slices.Insert(t.partitions[partition], i, item)
}

func (t *table) delete(key dynamo.Item) {
	partition, i, found := t.find(key)
	if !found {
		return
	}
	if t.partitions[partition] = slices.Delete(t.partitions[partition], i, i+1); len(t.partitions[partition]) == 0 {
		delete(t.partitions, partition)
	}
}

// all lists every item, partition after partition.
func (t *table) all() []dynamo.Item {
	var all []dynamo.Item
	for _, partition := range slices.Sorted(maps.Keys(t.partitions)) {
		all = append(all, t.partitions[partition]...)
	}
	return all
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

// view is what a query reads: the table or one of its indexes.
type view struct {
	hash tables.Key
	sort *tables.Key
	// items are the items of one partition, in order.
	items []dynamo.Item
	// keys are the attributes of a place within the view.
	keys []tables.Key
	// keysOnly says that only keys are projected.
	keysOnly bool
}

// tableView returns one partition of the table.
func (t *table) tableView(partition types.AttributeValue) view {
	return view{hash: t.schema.Hash, sort: t.schema.Sort, items: t.partitions[scalar(partition)], keys: t.keys()}
}

// indexView returns one partition of an index: the items that have both of its
// keys, in the order of its sort key, then of the primary key.
func (t *table) indexView(index tables.Index, partition types.AttributeValue) view {
	v := view{hash: index.Hash, sort: &index.Sort, keys: append(t.keys(), index.Hash, index.Sort), keysOnly: true}
	for _, items := range t.partitions {
		for _, item := range items {
			hash, ok := item[index.Hash.Name]
			if _, has := item[index.Sort.Name]; ok && has && equal(hash, partition) {
				v.items = append(v.items, item)
			}
		}
	}
	slices.SortFunc(v.items, func(a, b dynamo.Item) int { return v.order(t, a, b) })
	return v
}

// order is the order of places in the view.
func (v view) order(t *table, a, b dynamo.Item) int {
	if v.sort != nil {
		if c, _ := compare(a[v.sort.Name], b[v.sort.Name]); c != 0 {
			return c
		}
	}
	x, y := t.identity(a), t.identity(b)
	return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
}

// place returns the key of the item within the view.
func (v view) place(item dynamo.Item) dynamo.Item {
	key := dynamo.Item{}
	for _, k := range v.keys {
		key[k.Name] = copyValue(item[k.Name])
	}
	return key
}
