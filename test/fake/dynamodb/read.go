package dynamodb

import (
	"iter"
	"slices"
	"strings"

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
	item := t.get(in.Key)
	units := readUnits(dynamo.ItemSize(item), in.ConsistentRead)
	return &dynamodb.GetItemOutput{Item: copyItem(item), ConsumedCapacity: consumed(in.ReturnConsumedCapacity, in.TableName, units)}, nil
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
		rest, units := request, 0.0
		rest.Keys = nil
		for _, key := range request.Keys {
			item := t.get(key)
			units += readUnits(dynamo.ItemSize(item), request.ConsistentRead)
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
		if c := consumed(in.ReturnConsumedCapacity, &name, units); c != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, *c)
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
	items := v.after(in.ExclusiveStartKey, in.ScanIndexForward != nil && !*in.ScanIndexForward)
	page, more, err := paged(items, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.QueryOutput{Count: int32(len(page)), ScannedCount: int32(len(page))}
	if more {
		out.LastEvaluatedKey = v.place(page[len(page)-1])
	}
	if v.keysOnly {
		for i, item := range page {
			page[i] = v.place(item)
		}
	}
	out.ConsumedCapacity = consumed(in.ReturnConsumedCapacity, in.TableName, readUnits(sizeOf(page), in.ConsistentRead))
	if in.Select == types.SelectCount {
		return out, nil
	}
	for _, item := range page {
		out.Items = append(out.Items, projected(s, projection, item))
	}
	return out, nil
}

// queried finds what the key condition names: a part of a partition.
func (t *table) queried(s *scope, condition *node, in *dynamodb.QueryInput) (view, error) {
	if in.IndexName == nil {
		partition, sort, err := s.keyCondition(condition, t.schema.Hash, t.schema.Sort)
		if err != nil {
			return view{}, err
		}
		return t.tableView(partition).where(s, sort), nil
	}
	i := slices.IndexFunc(t.indexes, func(x *index) bool { return x.schema.Name == *in.IndexName })
	if i < 0 {
		return view{}, invalid("The table does not have the specified index: %s", *in.IndexName)
	}
	if aws.ToBool(in.ConsistentRead) {
		return view{}, invalid("Consistent reads are not supported on global secondary indexes")
	}
	x := t.indexes[i]
	partition, sort, err := s.keyCondition(condition, x.schema.Hash, &x.schema.Sort)
	if err != nil {
		return view{}, err
	}
	return x.view(partition).where(s, sort), nil
}

// keyCondition accepts an equality of the hash key, optionally with one condition on
// the sort key. It returns the hash key's value and that condition.
func (s *scope) keyCondition(n *node, hash tables.Key, sort *tables.Key) (partition types.AttributeValue, rest *node, err error) {
	if n == nil {
		return nil, nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	parts := []*node{n}
	if n.op == "AND" {
		parts = n.args
	}
	for _, part := range parts {
		if len(part.args) < 2 || part.args[0].op != "path" || part.args[1].op != ":" {
			return nil, nil, invalid("Invalid KeyConditionExpression")
		}
		name, value := s.path(part.args[0])[0], s.value(part.args[1], nil)
		switch {
		case name == hash.Name && part.op == "=" && partition == nil && fits(hash, value):
			partition = value
		case sort != nil && name == sort.Name && rest == nil && s.ranges(part, *sort):
			rest = part
		default:
			return nil, nil, invalid("Query condition missed key schema element, or its type does not match: %s", name)
		}
	}
	if partition == nil {
		return nil, nil, invalid("Query condition missed key schema element: %s", hash.Name)
	}
	return partition, rest, nil
}

// ranges reports whether the condition describes a range of the sort key.
func (s *scope) ranges(n *node, sort tables.Key) bool {
	switch n.op {
	case "=", "<", "<=", ">", ">=", "BETWEEN":
	case "begins_with":
		if sort.Number {
			return false
		}
	default:
		return false
	}
	return !slices.ContainsFunc(n.args[1:], func(arg *node) bool { return arg.op != ":" || !fits(sort, s.value(arg, nil)) })
}

// side says where the value lies of the range that the condition describes: before it
// (-1), in it (0) or behind it (1).
func (s *scope) side(n *node, value types.AttributeValue) int {
	operand := s.value(n.args[1], nil)
	c, _ := compare(value, operand)
	switch n.op {
	case "<":
		return max(0, c+1)
	case "<=":
		return max(0, c)
	case ">":
		return min(0, c-1)
	case ">=":
		return min(0, c)
	case "BETWEEN":
		if c < 0 {
			return -1
		}
		c, _ = compare(value, s.value(n.args[2], nil))
		return max(0, c)
	case "begins_with":
		if strings.HasPrefix(scalar(value), scalar(operand)) {
			return 0
		}
	}
	return c
}

// paged cuts a page of at most limit items and 1 MB. more is also true if a
// full page ends exactly with the last item: as in DynamoDB, a full page does
// not know whether anything follows.
func paged(items iter.Seq[dynamo.Item], limit *int32) (page []dynamo.Item, more bool, err error) {
	if limit != nil && *limit < 1 {
		return nil, false, invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1")
	}
	bytes := 0
	for item := range items {
		if limit != nil && len(page) == int(*limit) {
			return page, true, nil
		}
		if bytes += dynamo.ItemSize(item); bytes > maxPageBytes && len(page) > 0 {
			return page, true, nil
		}
		page = append(page, item)
	}
	return page, limit != nil && len(page) == int(*limit), nil
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
	page, more, err := paged(t.after(in.ExclusiveStartKey), in.Limit)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.ScanOutput{
		Count: int32(len(page)), ScannedCount: int32(len(page)),
		ConsumedCapacity: consumed(in.ReturnConsumedCapacity, in.TableName, readUnits(sizeOf(page), in.ConsistentRead)),
	}
	for _, item := range page {
		out.Items = append(out.Items, copyItem(item))
	}
	if more {
		out.LastEvaluatedKey = copyItem(t.primaryKey(page[len(page)-1]))
	}
	return out, nil
}
