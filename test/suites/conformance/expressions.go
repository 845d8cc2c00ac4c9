package conformance

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

func name(n string) expression.NameBuilder        { return expression.Name(n) }
func value(v any) expression.ValueBuilder         { return expression.Value(v) }
func exists(n string) expression.ConditionBuilder { return expression.AttributeExists(name(n)) }
func absent(n string) expression.ConditionBuilder { return expression.AttributeNotExists(name(n)) }

// sample is the item that conditions are evaluated on.
func sample(pk string) dynamo.Item {
	return with(key(pk, "s"), dynamo.Item{
		"n": num(5), "s": str("b"), "empty": str(""), "flag": &types.AttributeValueMemberBOOL{Value: true},
		"m": object(dynamo.Item{"x": num(1)}), "set": &types.AttributeValueMemberSS{Value: []string{"p", "q"}},
	})
}

type conditionCase struct {
	name      string
	condition expression.ConditionBuilder
	onSample  bool
	onNothing bool
}

func conditionCases() []conditionCase {
	return []conditionCase{
		{"attribute_exists", exists("n"), true, false},
		{"attribute_exists of an empty string", exists("empty"), true, false},
		{"attribute_exists of a key", exists("pk"), true, false},
		{"attribute_not_exists", absent("n"), false, true},
		{"attribute_not_exists of a nested name", absent("m.y"), true, true},
		{"attribute_exists of a nested name", exists("m.x"), true, false},
		{"= equal", name("n").Equal(value(5)), true, false},
		{"= less", name("n").Equal(value(4)), false, false},
		{"= of another type", name("n").Equal(value("5")), false, false},
		{"= of a boolean", name("flag").Equal(value(true)), true, false},
		{"= of an absent name", name("none").Equal(value(5)), false, false},
		{"= of a nested name", name("m.x").Equal(value(1)), true, false},
		{"= of a string", name("s").Equal(value("b")), true, false},
		{"< greater", name("n").LessThan(value(6)), true, false},
		{"< equal", name("n").LessThan(value(5)), false, false},
		{"< less", name("n").LessThan(value(4)), false, false},
		{"< of numbers, not of strings", name("n").LessThan(value(10)), true, false},
		{"< of another type", name("n").LessThan(value("6")), false, false},
		{"< of an absent name", name("none").LessThan(value(6)), false, false},
		{"<= greater", name("n").LessThanEqual(value(6)), true, false},
		{"<= equal", name("n").LessThanEqual(value(5)), true, false},
		{"<= less", name("n").LessThanEqual(value(4)), false, false},
		{"<= of a string", name("s").LessThanEqual(value("b")), true, false},
		{"<= of an absent name", name("none").LessThanEqual(value(6)), false, false},
		{"in, among", name("s").In(value("a"), value("b")), true, false},
		{"in, not among", name("s").In(value("a"), value("c")), false, false},
		{"in, absent", name("none").In(value("a"), value("b")), false, false},
		{"and, both", name("n").Equal(value(5)).And(name("s").Equal(value("b"))), true, false},
		{"and, one", name("n").Equal(value(5)).And(name("s").Equal(value("c"))), false, false},
		{"and of three, the last", name("n").Equal(value(5)).And(exists("s"), absent("s")), false, false},
		{"or, one", name("n").Equal(value(4)).Or(name("s").Equal(value("b"))), true, false},
		{"or, none", name("n").Equal(value(4)).Or(name("s").Equal(value("c"))), false, false},
		{"or within and", name("s").Equal(value("b")).And(absent("none").Or(name("none").LessThan(value(3)))), true, false},
		{"and within or", name("s").Equal(value("x")).Or(name("s").Equal(value("b")).And(name("n").LessThanEqual(value(5)))), true, false},
	}
}

func (e Engine) conditions(t *testing.T) {
	e.put(t, sample("conditions"))
	for _, c := range conditionCases() {
		expr, err := expression.NewBuilder().WithCondition(c.condition).Build()
		if err != nil {
			t.Fatal(err)
		}
		for sk, want := range map[string]bool{"s": c.onSample, "none": c.onNothing} {
			check := types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
				TableName: &e.Tables.Content, Key: key("conditions", sk), ConditionExpression: expr.Condition(),
				ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
			}}
			refused, err := e.transact(t.Context(), check)
			if err != nil || (refused == nil) != want {
				t.Errorf("%s, as a check on %q: holds %v, want %v; error %v", c.name, sk, refused == nil, want, err)
			}
			if sk == "s" {
				_, err = e.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
					TableName: &e.Tables.Content, Key: key("conditions", sk), ConditionExpression: expr.Condition(),
					UpdateExpression:         new("REMOVE not_there"),
					ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
				})
				if (err == nil) != want || err != nil && !dynamo.IsConditionFailed(err) {
					t.Errorf("%s, on an update: error %v, want it to hold: %v", c.name, err, want)
				}
			}
		}
	}
}

type updateCase struct {
	name   string
	update expression.UpdateBuilder
	// want has the attributes that then differ from the sample; nil for a
	// removed one.
	want dynamo.Item
	code string
	// strict cases are skipped for lenient engines.
	strict bool
}

func updateCases() []updateCase {
	return []updateCase{
		{name: "set", update: expression.Set(name("s"), value("c")), want: dynamo.Item{"s": str("c")}},
		{name: "set a new name", update: expression.Set(name("new"), value(7)), want: dynamo.Item{"new": num(7)}},
		{name: "set a nested name", update: expression.Set(name("m.y"), value(2)), want: dynamo.Item{"m": object(dynamo.Item{"x": num(1), "y": num(2)})}},
		{name: "set null", update: expression.Set(name("s"), value([]string(nil))), want: dynamo.Item{"s": &types.AttributeValueMemberNULL{Value: true}}},
		{name: "if_not_exists, there", update: expression.Set(name("n"), name("n").IfNotExists(value(9))), want: dynamo.Item{}},
		{name: "if_not_exists, absent", update: expression.Set(name("k"), expression.IfNotExists(name("k"), value(9))), want: dynamo.Item{"k": num(9)}},
		{name: "remove", update: expression.Remove(name("s")), want: dynamo.Item{"s": nil}},
		{name: "remove an absent name", update: expression.Remove(name("none")), want: dynamo.Item{}},
		{name: "add to a number", update: expression.Add(name("n"), value(3)), want: dynamo.Item{"n": num(8)}},
		{name: "add zero to nothing", update: expression.Add(name("k"), value(0)), want: dynamo.Item{"k": num(0)}},
		{name: "add to a nested number", update: expression.Add(name("m.x"), value(3)), want: dynamo.Item{"m": object(dynamo.Item{"x": num(4)})}},
		{name: "add to a nested nothing", update: expression.Add(name("m.z"), value(3)), want: dynamo.Item{"m": object(dynamo.Item{"x": num(1), "z": num(3)})}},
		{name: "add to a set", update: expression.Add(name("set"), value(&types.AttributeValueMemberSS{Value: []string{"q", "r"}})),
			want: dynamo.Item{"set": &types.AttributeValueMemberSS{Value: []string{"p", "q", "r"}}}},
		{name: "add a set to nothing", update: expression.Add(name("k"), value(&types.AttributeValueMemberSS{Value: []string{"r"}})),
			want: dynamo.Item{"k": &types.AttributeValueMemberSS{Value: []string{"r"}}}},
		{name: "all clauses", update: expression.Set(name("a"), value(1)).Set(name("b"), value(2)).Remove(name("s")).Remove(name("flag")).Add(name("n"), value(1)),
			want: dynamo.Item{"a": num(1), "b": num(2), "s": nil, "flag": nil, "n": num(6)}},
		{name: "add to a string", update: expression.Add(name("s"), value(1)), code: "ValidationException"},
		{name: "add below nothing", update: expression.Add(name("none.x"), value(1)), code: "ValidationException", strict: true},
		{name: "set a key", update: expression.Set(name("sk"), value("x")), code: "ValidationException"},
		{name: "set one path twice", update: expression.Set(name("m"), value(1)).Remove(name("m.x")), code: "ValidationException", strict: true},
	}
}

func (e Engine) updates(t *testing.T) {
	for i, c := range updateCases() {
		if c.strict && e.Lenient {
			continue
		}
		pk := "updates" + string(rune('a'+i))
		e.put(t, sample(pk))
		expr, err := expression.NewBuilder().WithUpdate(c.update).Build()
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &e.Tables.Content, Key: key(pk, "s"), UpdateExpression: expr.Update(), ReturnValues: types.ReturnValueAllNew,
			ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
		})
		if code(err) != c.code {
			t.Errorf("%s: error %v, want %q", c.name, err, c.code)
		}
		want := with(sample(pk), c.want)
		for name, value := range c.want {
			if value == nil {
				delete(want, name)
			}
		}
		if diff := cmp.Diff(plain(t, want), plain(t, e.get(t, key(pk, "s")))); diff != "" {
			t.Errorf("%s (-want +stored):\n%s", c.name, diff)
		}
		if err == nil {
			if diff := cmp.Diff(plain(t, want), plain(t, out.Attributes)); diff != "" {
				t.Errorf("%s (-want +returned):\n%s", c.name, diff)
			}
		}
	}
	e.updateOfNothing(t)
}

// An update without a condition creates the item, so every update has one.
func (e Engine) updateOfNothing(t *testing.T) {
	expr, err := expression.NewBuilder().WithUpdate(expression.Set(name("n"), value(1))).Build()
	if err != nil {
		t.Fatal(err)
	}
	in := &dynamodb.UpdateItemInput{
		TableName: &e.Tables.Content, Key: key("nothing", "s"), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}
	in.ConditionExpression = new("attribute_exists(#0)")
	if _, err := e.DB.UpdateItem(t.Context(), in); !dynamo.IsConditionFailed(err) {
		t.Errorf("an update of nothing under attribute_exists: %v", err)
	}
	in.ConditionExpression = nil
	if _, err := e.DB.UpdateItem(t.Context(), in); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(plain(t, with(key("nothing", "s"), dynamo.Item{"n": num(1)})), plain(t, e.get(t, key("nothing", "s")))); diff != "" {
		t.Errorf("an update of nothing (-want +got):\n%s", diff)
	}
}

// plain makes items comparable by sorting their sets.
func plain(t *testing.T, item dynamo.Item) map[string]any {
	t.Helper()
	var out map[string]any
	if err := attributevalue.UnmarshalMap(item, &out); err != nil {
		t.Fatal(err)
	}
	for name, value := range out {
		if list, ok := value.([]string); ok {
			set := map[string]bool{}
			for _, s := range list {
				set[s] = true
			}
			out[name] = set
		}
	}
	return out
}
