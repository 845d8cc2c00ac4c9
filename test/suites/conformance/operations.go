package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

func (e Engine) txPut(item dynamo.Item, condition *string) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: &e.Tables.Content, Item: item, ConditionExpression: condition}}
}

func (e Engine) transactions(t *testing.T) {
	fresh := new("attribute_not_exists(expires_at)")
	e.put(t, with(key("tx", "old"), dynamo.Item{tables.ExpiresAt: num(1)}))
	refused, err := e.transact(t.Context(), e.txPut(key("tx", "a"), fresh), e.txPut(key("tx", "old"), fresh), e.txPut(key("tx", "b"), nil))
	if diff := cmp.Diff([]string{"None", "ConditionalCheckFailed", "None"}, refused); err != nil || diff != "" {
		t.Errorf("reasons (-want +got), error %v:\n%s", err, diff)
	}
	if e.get(t, key("tx", "a")) != nil || e.get(t, key("tx", "b")) != nil {
		t.Error("a cancelled transaction wrote something")
	}
	remove := types.TransactWriteItem{Delete: &types.Delete{TableName: &e.Tables.Content, Key: key("tx", "old")}}
	if refused, err := e.transact(t.Context(), e.txPut(key("tx", "a"), fresh), remove, e.txPut(key("tx", "b"), nil)); err != nil || refused != nil {
		t.Errorf("refused %v, error %v", refused, err)
	}
	if e.get(t, key("tx", "a")) == nil || e.get(t, key("tx", "old")) != nil || e.get(t, key("tx", "b")) == nil {
		t.Error("a transaction did not write everything")
	}
	if _, err := e.transact(t.Context(), e.txPut(key("tx", "c"), nil), e.txPut(key("tx", "c"), nil)); code(err) != "ValidationException" {
		t.Errorf("two writes of one item: %v", err)
	}
	var many []types.TransactWriteItem
	for i := range 101 {
		many = append(many, e.txPut(key("tx", fmt.Sprintf("many%03d", i)), nil))
	}
	if _, err := e.transact(t.Context(), many...); code(err) != "ValidationException" {
		t.Errorf("101 items: %v", err)
	}
	if refused, err := e.transact(t.Context(), many[:100]...); err != nil || refused != nil {
		t.Errorf("100 items: refused %v, error %v", refused, err)
	}
	e.transactedUpdate(t)
}

// An update that cannot be applied cancels its transaction.
func (e Engine) transactedUpdate(t *testing.T) {
	update := types.TransactWriteItem{Update: &types.Update{
		TableName: &e.Tables.Content, Key: key("tx", "u"), UpdateExpression: new("ADD the_count :1"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":1": num(1)},
	}}
	for range 2 {
		if refused, err := e.transact(t.Context(), update); err != nil || refused != nil {
			t.Errorf("refused %v, error %v", refused, err)
		}
	}
	if diff := cmp.Diff(plain(t, with(key("tx", "u"), dynamo.Item{"the_count": num(2)})), plain(t, e.get(t, key("tx", "u")))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func (e Engine) batches(t *testing.T) {
	var keys []dynamo.Item
	for i := range 101 {
		keys = append(keys, key("batch", fmt.Sprintf("%03d", i)))
	}
	write := func(n int, extra ...dynamo.Item) error {
		var requests []types.WriteRequest
		for _, k := range append(keys[:n:n], extra...) {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: k}})
		}
		_, err := e.DB.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{e.Tables.Content: requests}})
		return err
	}
	for _, c := range []struct {
		name string
		err  error
		code string
	}{
		{"25 items", write(25), ""},
		{"26 items", write(26), "ValidationException"},
		{"one item twice", write(2, keys[0]), "ValidationException"},
	} {
		if code(c.err) != c.code {
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
	if err := dynamo.PutAll(t.Context(), e.DB, e.Tables.Content, keys[:99]); err != nil {
		t.Fatal(err)
	}
	items, err := dynamo.GetAll(t.Context(), e.DB, e.Tables.Content, keys)
	if err != nil || len(items) != 99 {
		t.Errorf("%d items, error %v; two keys have none", len(items), err)
	}
	read := func(keys ...dynamo.Item) error {
		_, err := e.DB.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{e.Tables.Content: {Keys: keys}}})
		return err
	}
	if err := read(keys...); code(err) != "ValidationException" {
		t.Errorf("101 keys: %v", err)
	}
	if err := read(keys[0], keys[0]); code(err) != "ValidationException" {
		t.Errorf("one key twice: %v", err)
	}
}

func (e Engine) query(t *testing.T, condition expression.KeyConditionBuilder, adjust func(*dynamodb.QueryInput)) (items []dynamo.Item, pages int) {
	t.Helper()
	expr, err := expression.NewBuilder().WithKeyCondition(condition).Build()
	if err != nil {
		t.Fatal(err)
	}
	in := &dynamodb.QueryInput{
		TableName: &e.Tables.Content, KeyConditionExpression: expr.KeyCondition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}
	adjust(in)
	for {
		out, err := e.DB.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		items, pages = append(items, out.Items...), pages+1
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return items, pages
		}
	}
}

func text(item dynamo.Item, attribute string) string {
	s, _ := item[attribute].(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func sks(items []dynamo.Item) string {
	var list []string
	for _, item := range items {
		list = append(list, text(item, "sk"))
	}
	return strings.Join(list, " ")
}

func (e Engine) pages(t *testing.T) {
	for _, sk := range []string{"b#1", "a", "b#2", "c", "b", "b#10", "Z"} {
		e.put(t, with(key("pages", sk), dynamo.Item{"x": num(1), "y": num(2), tables.ExpiresAt: num(1)}))
	}
	pk := expression.Key("pk").Equal(expression.Value("pages"))
	sk := expression.Key("sk")
	for _, c := range []struct {
		name      string
		condition expression.KeyConditionBuilder
		adjust    func(*dynamodb.QueryInput)
		want      string
	}{
		{"all, in the order of bytes", pk, func(*dynamodb.QueryInput) {}, "Z a b b#1 b#10 b#2 c"},
		{"newest first", pk, func(in *dynamodb.QueryInput) { in.ScanIndexForward = new(false) }, "c b#2 b#10 b#1 b a Z"},
		{"by one", pk, func(in *dynamodb.QueryInput) { in.Limit = new(int32(1)) }, "Z a b b#1 b#10 b#2 c"},
		{"by two, newest first", pk, func(in *dynamodb.QueryInput) { in.Limit, in.ScanIndexForward = new(int32(2)), new(false) }, "c b#2 b#10 b#1 b a Z"},
		{"from a key that is not there", pk, func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = key("pages", "b#11") }, "b#2 c"},
		{"begins_with", expression.KeyAnd(pk, sk.BeginsWith("b#")), func(*dynamodb.QueryInput) {}, "b#1 b#10 b#2"},
		{"=", expression.KeyAnd(pk, sk.Equal(expression.Value("b"))), func(*dynamodb.QueryInput) {}, "b"},
		{"<", expression.KeyAnd(pk, sk.LessThan(expression.Value("b"))), func(*dynamodb.QueryInput) {}, "Z a"},
		{"<=", expression.KeyAnd(pk, sk.LessThanEqual(expression.Value("b"))), func(*dynamodb.QueryInput) {}, "Z a b"},
		{">", expression.KeyAnd(pk, sk.GreaterThan(expression.Value("b#2"))), func(*dynamodb.QueryInput) {}, "c"},
		{">=", expression.KeyAnd(pk, sk.GreaterThanEqual(expression.Value("b#2"))), func(*dynamodb.QueryInput) {}, "b#2 c"},
		{"between", expression.KeyAnd(pk, sk.Between(expression.Value("a"), expression.Value("b#10"))), func(*dynamodb.QueryInput) {}, "a b b#1 b#10"},
		{"between two that are not there", expression.KeyAnd(pk, sk.Between(expression.Value("b!"), expression.Value("b#11"))), func(*dynamodb.QueryInput) {}, "b#1 b#10"},
		{"a range, newest first, by one", expression.KeyAnd(pk, sk.LessThan(expression.Value("b#2"))), func(in *dynamodb.QueryInput) {
			in.Limit, in.ScanIndexForward = new(int32(1)), new(false)
		}, "b#10 b#1 b a Z"},
		{"another partition", expression.Key("pk").Equal(expression.Value("none")), func(*dynamodb.QueryInput) {}, ""},
	} {
		if items, _ := e.query(t, c.condition, c.adjust); sks(items) != c.want {
			t.Errorf("%s: %s, want %s", c.name, sks(items), c.want)
		}
	}
	items, _ := e.query(t, pk, func(in *dynamodb.QueryInput) {
		in.ProjectionExpression = new("y")
		in.ProjectionExpression = new("expires_at")
	})
	if diff := cmp.Diff(map[string]any{"expires_at": 1.0}, plain(t, items[0])); diff != "" {
		t.Errorf("projection (-want +got):\n%s", diff)
	}
	e.largePages(t)
}

// Pages end at 1 MB, whatever the projection.
func (e Engine) largePages(t *testing.T) {
	blob := strings.Repeat("x", 300<<10)
	for i := range 7 {
		e.put(t, with(key("large", fmt.Sprint(i)), dynamo.Item{"blob": str(blob)}))
	}
	items, pages := e.query(t, expression.Key("pk").Equal(expression.Value("large")), func(in *dynamodb.QueryInput) {
		in.ProjectionExpression = new("sk,expires_at")
		in.ProjectionExpression = nil
	})
	if len(items) != 7 || pages < 2 {
		t.Errorf("2.1 MB: %d items in %d pages", len(items), pages)
	}
	var all, scans int
	scan := &dynamodb.ScanInput{TableName: &e.Tables.Content}
	for {
		out, err := e.DB.Scan(t.Context(), scan)
		if err != nil {
			t.Fatal(err)
		}
		scans++
		for _, item := range out.Items {
			if text(item, "pk") == "large" {
				all++
			}
		}
		if scan.ExclusiveStartKey = out.LastEvaluatedKey; len(scan.ExclusiveStartKey) == 0 {
			break
		}
	}
	if all != 7 || scans < 2 {
		t.Errorf("a scan found %d of 7 items in %d pages", all, scans)
	}
}

func (e Engine) indexes(t *testing.T) {
	row := func(id, status string, created int64, sweep bool) {
		item := dynamo.Item{"run_id": str(id), "status": str(status), "created_at": num(created), "project_id": num(3), "other": str("x")}
		if sweep {
			item["sweep"], item["sweep_after"] = str("pending"), num(created)
		}
		if _, err := e.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &e.Tables.SyncRuns, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	row("index-a", "kept", 9, false)
	row("index-b", "kept", 10, true)
	row("index-c", "kept", 100, true)
	row("index-d", "other", 5, true)
	list := func(index string, condition expression.KeyConditionBuilder, limit int32) string {
		items, _ := e.query(t, condition, func(in *dynamodb.QueryInput) {
			in.TableName, in.IndexName, in.Limit = &e.Tables.SyncRuns, &index, &limit
		})
		var ids []string
		for _, item := range items {
			ids = append(ids, text(item, "run_id"))
			if item["other"] != nil || len(item) != 3 {
				t.Errorf("%s is not keys-only: %v", index, item)
			}
		}
		return strings.Join(ids, " ")
	}
	kept := expression.Key("status").Equal(expression.Value("kept"))
	pending := expression.Key("sweep").Equal(expression.Value("pending"))
	upTo := func(n int) expression.KeyConditionBuilder {
		return expression.Key("sweep_after").LessThanEqual(expression.Value(n))
	}
	for _, c := range []struct{ name, got, want string }{
		{"a status by time", list(tables.RunsByStatus, kept, 100), "index-a index-b index-c"},
		{"by one", list(tables.RunsByStatus, kept, 1), "index-a index-b index-c"},
		{"sparse", list(tables.RunsToSweep, pending, 100), "index-d index-b index-c"},
		{"sparse, the bound itself", list(tables.RunsToSweep, expression.KeyAnd(pending, upTo(10)), 100), "index-d index-b"},
		{"sparse, just below", list(tables.RunsToSweep, expression.KeyAnd(pending, upTo(9)), 100), "index-d"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
	for limit, want := range map[int32]string{2: "2 true", 3: "3 true", 4: "3 false"} {
		expr, err := expression.NewBuilder().WithKeyCondition(kept).Build()
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.DB.Query(t.Context(), &dynamodb.QueryInput{
			TableName: &e.Tables.SyncRuns, IndexName: new(tables.RunsByStatus), Select: types.SelectCount, Limit: &limit,
			KeyConditionExpression: expr.KeyCondition(), ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(out.Count, len(out.LastEvaluatedKey) > 0); got != want || len(out.Items) > 0 {
			t.Errorf("counted up to %d: %s, want %s; %d items", limit, got, want, len(out.Items))
		}
	}
	e.readIndex(t)
	row("index-b", "kept", 10, false)
	if got := list(tables.RunsToSweep, pending, 100); got != "index-d index-c" {
		t.Errorf("after a key was taken away: %s", got)
	}
	row("index-a", "kept", 50, false) // moves behind index-b
	row("index-d", "kept", 7, true)   // comes from another partition
	if got := list(tables.RunsByStatus, kept, 100); got != "index-d index-b index-a index-c" {
		t.Errorf("after keys changed: %s", got)
	}
	for _, id := range []string{"index-a", "index-b", "index-c", "index-d"} {
		if _, err := e.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &e.Tables.SyncRuns, Key: dynamo.Item{"run_id": str(id)}}); err != nil {
			t.Fatal(err)
		}
	}
}

// readIndex reads an index backwards, from a place in it and from one that is gone.
func (e Engine) readIndex(t *testing.T) {
	kept := expression.Key("status").Equal(expression.Value("kept"))
	from := func(id string, created int64) func(*dynamodb.QueryInput) {
		return func(in *dynamodb.QueryInput) {
			in.ExclusiveStartKey = dynamo.Item{"run_id": str(id), "status": str("kept"), "created_at": num(created)}
		}
	}
	for _, c := range []struct {
		name      string
		backwards bool
		adjust    func(*dynamodb.QueryInput)
		want      string
	}{
		{"newest first", true, func(in *dynamodb.QueryInput) { in.Limit = new(int32(2)) }, "index-c index-b index-a"},
		{"from a row", false, from("index-a", 9), "index-b index-c"},
		{"from a row, newest first", true, from("index-c", 100), "index-b index-a"},
		{"from a row that has moved", false, from("index-a", 11), "index-c"},
		{"from a row that is gone, newest first", true, from("index-x", 11), "index-b index-a"},
	} {
		items, _ := e.query(t, kept, func(in *dynamodb.QueryInput) {
			in.TableName, in.IndexName, in.ScanIndexForward = &e.Tables.SyncRuns, new(tables.RunsByStatus), new(!c.backwards)
			c.adjust(in)
		})
		var ids []string
		for _, item := range items {
			ids = append(ids, text(item, "run_id"))
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// consumed checks what engines report that reads consume.
func (e Engine) consumed(t *testing.T) {
	const total = types.ReturnConsumedCapacityTotal
	e.put(t, with(key("consumed", "1"), dynamo.Item{"t": str(strings.Repeat("x", 4000))}))
	e.put(t, with(key("consumed", "2"), dynamo.Item{"t": str(strings.Repeat("x", 4000))}))
	e.put(t, with(key("consumed", "3"), dynamo.Item{"t": str(strings.Repeat("x", 5000))}))
	get := func(sk string, consistent bool) float64 {
		out, err := e.DB.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: &e.Tables.Content, Key: key("consumed", sk), ConsistentRead: &consistent, ReturnConsumedCapacity: total,
		})
		if err != nil {
			t.Fatal(err)
		}
		return *out.ConsumedCapacity.CapacityUnits
	}
	batch := func(sks ...string) (units float64) {
		var keys []dynamo.Item
		for _, sk := range sks {
			keys = append(keys, key("consumed", sk))
		}
		out, err := e.DB.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{e.Tables.Content: {Keys: keys, ConsistentRead: new(true)}}, ReturnConsumedCapacity: total,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range out.ConsumedCapacity {
			units += *c.CapacityUnits
		}
		return units
	}
	query := func(consistent bool) (units float64) {
		_, _ = e.query(t, expression.Key("pk").Equal(expression.Value("consumed")), func(in *dynamodb.QueryInput) {
			in.ConsistentRead, in.ReturnConsumedCapacity = &consistent, total
			out, err := e.DB.Query(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			units = *out.ConsumedCapacity.CapacityUnits
		})
		return units
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"an item under 4 KB", get("1", true), 1},
		{"an item under 4 KB, not consistent", get("1", false), 0.5},
		{"an item over 4 KB", get("3", true), 2},
		{"an item that is not there", get("none", true), 1},
		{"a batch: each by itself", batch("1", "2", "3"), 4},
		{"a query: all together", query(true), 4},
		{"a query, not consistent", query(false), 2},
	} {
		if c.got != c.want && !e.Lenient {
			t.Errorf("%s consumes %g units, want %g", c.name, c.got, c.want)
		}
	}
}

func (e Engine) refusals(t *testing.T) {
	put := func(table string, item dynamo.Item) error {
		_, err := e.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item})
		return err
	}
	get := func(key dynamo.Item) error {
		_, err := e.DB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &e.Tables.Content, Key: key})
		return err
	}
	content := e.Tables.Content
	for _, c := range []struct {
		name   string
		err    error
		code   string
		strict bool
	}{
		{"an item of 400 KB", put(content, with(key("refusal", "s"), dynamo.Item{"t": str(strings.Repeat("x", 400<<10-64))})), "", false},
		{"an item over 400 KB", put(content, with(key("refusal", "s"), dynamo.Item{"t": str(strings.Repeat("x", 400<<10))})), "ValidationException", false},
		{"an unknown table", put("no_such_table", key("a", "b")), "ResourceNotFoundException", false},
		{"a missing sort key", put(content, dynamo.Item{"pk": str("a")}), "ValidationException", false},
		{"an empty key", put(content, key("", "s")), "ValidationException", false},
		{"a key of the wrong type", put(content, dynamo.Item{"pk": num(1), "sk": str("s")}), "ValidationException", true},
		{"a key with an extra attribute", get(dynamo.Item{"pk": str("a"), "sk": str("b"), "x": str("c")}), "ValidationException", true},
		{"a key with a missing attribute", get(dynamo.Item{"pk": str("a")}), "ValidationException", false},
		{"an empty string", put(content, with(key("refusal", "e"), dynamo.Item{"t": str("")})), "", false},
		{"an empty set", put(content, with(key("refusal", "e"), dynamo.Item{"t": &types.AttributeValueMemberSS{}})), "ValidationException", true},
		{"an invalid number", put(content, with(key("refusal", "e"), dynamo.Item{"t": &types.AttributeValueMemberN{Value: "one"}})), "ValidationException", true},
		{"an index key of the wrong type", put(content, with(key("refusal", "e"), dynamo.Item{"project_id": str("1"), "entity": str("x")})), "ValidationException", true},
	} {
		if c.strict && e.Lenient {
			continue
		}
		if code(c.err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, c.err, c.code)
		}
	}
}
