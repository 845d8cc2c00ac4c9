package dynamodb

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

const (
	maxPageBytes     = 1 << 20
	maxBatchGets     = 100
	maxBatchGetBytes = 16 << 20
)

func (db *DB) getItem(in *dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) {
	t, err := db.table(in.TableName)
	if err != nil {
		return nil, err
	}
	if in.ProjectionExpression != nil || in.AttributesToGet != nil {
		return nil, unsupported("a projection in GetItem")
	}
	if err := t.checkKey(in.Key); err != nil {
		return nil, err
	}
	return &dynamodb.GetItemOutput{Item: copyItem(t.get(in.Key))}, nil
}

func (db *DB) batchGetItem(in *dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error) {
	out := &dynamodb.BatchGetItemOutput{
		Responses: map[string][]dynamo.Item{}, UnprocessedKeys: map[string]types.KeysAndAttributes{},
	}
	bytes, count := 0, 0
	for _, name := range sorted(in.RequestItems) {
		request := in.RequestItems[name]
		t, err := db.table(&name)
		if err != nil {
			return nil, err
		}
		if request.ProjectionExpression != nil || request.AttributesToGet != nil {
			return nil, unsupported("a projection in BatchGetItem")
		}
		if count += len(request.Keys); count > maxBatchGets || len(request.Keys) == 0 {
			return nil, invalid("Too many or no items requested for the BatchGetItem call")
		}
		if err := t.checkKeys(request.Keys); err != nil {
			return nil, err
		}
		rest := request
		rest.Keys = nil
		for _, key := range request.Keys {
			item := t.get(key)
			if item == nil {
				continue
			}
			if bytes += dynamo.ItemSize(item); bytes > maxBatchGetBytes {
				rest.Keys = append(rest.Keys, copyItem(key))
				continue
			}
			out.Responses[name] = append(out.Responses[name], copyItem(item))
		}
		if len(rest.Keys) > 0 {
			out.UnprocessedKeys[name] = rest
		}
	}
	return out, nil
}

// checkKeys rejects invalid and duplicate keys.
func (t *table) checkKeys(keys []dynamo.Item) error {
	seen := map[[2]string]bool{}
	for _, key := range keys {
		if err := t.checkKey(key); err != nil {
			return err
		}
		if seen[t.identity(key)] {
			return invalid("Provided list of item keys contains duplicates")
		}
		seen[t.identity(key)] = true
	}
	return nil
}

func (db *DB) query(in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	t, err := db.table(in.TableName)
	if err != nil {
		return nil, err
	}
	if in.FilterExpression != nil || in.Select != "" && in.Select != types.SelectCount || in.KeyConditions != nil || in.QueryFilter != nil || in.AttributesToGet != nil {
		return nil, unsupported("a filter, a select other than COUNT or a legacy parameter of Query")
	}
	s, err := newScope(in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	if err != nil {
		return nil, err
	}
	condition, err := db.condition(s, in.KeyConditionExpression)
	if err != nil {
		return nil, err
	}
	projection, err := db.projection(s, in.ProjectionExpression)
	if err != nil {
		return nil, err
	}
	if err := s.unused(); err != nil {
		return nil, err
	}
	v, err := t.queried(s, condition, in)
	if err != nil {
		return nil, err
	}
	items, err := v.matching(s, condition)
	if err != nil {
		return nil, err
	}
	if in.ScanIndexForward != nil && !*in.ScanIndexForward {
		slices.Reverse(items)
	}
	if in.ExclusiveStartKey != nil {
		items = slices.DeleteFunc(items, func(item dynamo.Item) bool {
			c := v.order(t, item, in.ExclusiveStartKey)
			if in.ScanIndexForward != nil && !*in.ScanIndexForward {
				c = -c
			}
			return c <= 0
		})
	}
	page, more, err := paged(items, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.QueryOutput{Count: int32(len(page)), ScannedCount: int32(len(page))}
	if more {
		out.LastEvaluatedKey = v.place(page[len(page)-1])
	}
	if in.Select == types.SelectCount {
		return out, nil
	}
	for _, item := range page {
		if v.keysOnly {
			item = v.place(item)
		}
		out.Items = append(out.Items, projected(s, projection, item))
	}
	return out, nil
}

// queried finds the partition that the key condition names.
func (t *table) queried(s *scope, condition *node, in *dynamodb.QueryInput) (view, error) {
	hash := t.schema.Hash
	sort := t.schema.Sort
	var index *tables.Index
	if in.IndexName != nil {
		i := slices.IndexFunc(t.schema.Indexes, func(i tables.Index) bool { return i.Name == *in.IndexName })
		if i < 0 {
			return view{}, invalid("The table does not have the specified index: %s", *in.IndexName)
		}
		if aws.ToBool(in.ConsistentRead) {
			return view{}, invalid("Consistent reads are not supported on global secondary indexes")
		}
		index = &t.schema.Indexes[i]
		hash, sort = index.Hash, &index.Sort
	}
	partition, err := s.keyCondition(condition, hash, sort)
	if err != nil {
		return view{}, err
	}
	if index != nil {
		return t.indexView(*index, partition), nil
	}
	return t.tableView(partition), nil
}

// keyCondition accepts an equality of the hash key, optionally with one
// condition on the sort key, and returns the hash key's value.
func (s *scope) keyCondition(n *node, hash tables.Key, sort *tables.Key) (types.AttributeValue, error) {
	if n == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	parts := []*node{n}
	if n.op == "AND" {
		parts = n.args
	}
	var partition types.AttributeValue
	for _, part := range parts {
		if len(part.args) < 2 || part.args[0].op != "path" || part.args[1].op != ":" {
			return nil, invalid("Invalid KeyConditionExpression")
		}
		name, value := s.path(part.args[0])[0], s.value(part.args[1], nil)
		switch {
		case name == hash.Name && part.op == "=" && partition == nil && fits(hash, value):
			partition = value
		case sort != nil && name == sort.Name && part.op != "<>" && part.op != "IN" && fits(*sort, value):
		default:
			return nil, invalid("Query condition missed key schema element, or its type does not match: %s", name)
		}
	}
	if partition == nil || len(parts) > 2 {
		return nil, invalid("Query condition missed key schema element: %s", hash.Name)
	}
	return partition, nil
}

// matching returns the view's items for which the key condition holds.
func (v view) matching(s *scope, condition *node) ([]dynamo.Item, error) {
	var items []dynamo.Item
	for _, item := range v.items {
		ok, err := s.holds(condition, item)
		if err != nil {
			return nil, err
		}
		if ok {
			items = append(items, item)
		}
	}
	return items, nil
}

// paged cuts a page of at most limit items and 1 MB. more is also true if a
// full page ends exactly with the last item: as in DynamoDB, a full page does
// not know whether anything follows.
func paged(items []dynamo.Item, limit *int32) (page []dynamo.Item, more bool, err error) {
	if limit != nil && *limit < 1 {
		return nil, false, invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1")
	}
	bytes := 0
	for i, item := range items {
		if limit != nil && i == int(*limit) {
			return items[:i], true, nil
		}
		if bytes += dynamo.ItemSize(item); bytes > maxPageBytes && i > 0 {
			return items[:i], true, nil
		}
	}
	return items, limit != nil && len(items) == int(*limit), nil
}

func (db *DB) projection(s *scope, expression *string) ([]*node, error) {
	if expression == nil {
		return nil, nil
	}
	list, err := db.parsed.projection(*expression)
	if err != nil {
		return nil, err
	}
	for _, n := range list {
		if len(n.words) > 1 {
			return nil, unsupported("a projection of a nested path")
		}
		if err := s.use(n); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func projected(s *scope, projection []*node, item dynamo.Item) dynamo.Item {
	if projection == nil {
		return copyItem(item)
	}
	out := dynamo.Item{}
	for _, n := range projection {
		name := s.path(n)[0]
		if value, ok := item[name]; ok {
			out[name] = copyValue(value)
		}
	}
	return out
}

func (db *DB) scan(in *dynamodb.ScanInput) (*dynamodb.ScanOutput, error) {
	t, err := db.table(in.TableName)
	if err != nil {
		return nil, err
	}
	if in.FilterExpression != nil || in.ProjectionExpression != nil || in.IndexName != nil || in.Segment != nil || in.Select != "" || in.ScanFilter != nil {
		return nil, unsupported("anything but a plain Scan")
	}
	items := t.all()
	if in.ExclusiveStartKey != nil {
		start := t.identity(in.ExclusiveStartKey)
		items = slices.DeleteFunc(items, func(item dynamo.Item) bool {
			id := t.identity(item)
			return id[0] < start[0] || id[0] == start[0] && id[1] <= start[1]
		})
	}
	page, more, err := paged(items, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.ScanOutput{Count: int32(len(page)), ScannedCount: int32(len(page))}
	for _, item := range page {
		out.Items = append(out.Items, copyItem(item))
	}
	if more {
		out.LastEvaluatedKey = copyItem(t.primaryKey(page[len(page)-1]))
	}
	return out, nil
}
