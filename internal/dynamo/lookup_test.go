package dynamo_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// lookups are items of three tables, of which some exist.
func lookups(t *testing.T, tb *table) (all []dynamo.Lookup, want []dynamo.Item) {
	t.Helper()
	state, runs := tables.State().Name, tables.SyncRuns().Name
	pause, run := dynamo.Item{"name": str("gitlab_pause")}, dynamo.Item{"run_id": str("r1")}
	projects, p10, p1 := tables.Projects().Name, projectKey("10"), projectKey("1")
	all = []dynamo.Lookup{{tb.name, keyOf(1)}, {state, pause}, {tb.name, keyOf(7)}, {runs, run}, {tb.name, keyOf(2)}, {projects, p10}, {projects, p1}}
	want = []dynamo.Item{items(3, 10)[1], pause, nil, nil, items(3, 10)[2], p10, p1}
	if err := dynamo.PutAll(t.Context(), tb.db.Client(), projects, []dynamo.Item{p1, p10}); err != nil {
		t.Fatal(err)
	}
	if err := dynamo.PutAll(t.Context(), tb.db.Client(), tb.name, items(3, 10)); err != nil {
		t.Fatal(err)
	}
	if err := dynamo.PutAll(t.Context(), tb.db.Client(), state, []dynamo.Item{pause}); err != nil {
		t.Fatal(err)
	}
	return all, want
}

func projectKey(id string) dynamo.Item {
	return dynamo.Item{"project_id": &types.AttributeValueMemberN{Value: id}, "item": str("project")}
}

var values = cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{})

func TestGetTogether_ReturnsItemsInTheOrderOfTheLookups(t *testing.T) {
	tb := newTable()
	all, want := lookups(t, tb)
	got, err := dynamo.GetTogether(t.Context(), tb.client, all...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, values); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if len(tb.calls) != 1 {
		t.Errorf("%d calls", len(tb.calls))
	}
	for table, keys := range tb.calls[0].(*dynamodb.BatchGetItemInput).RequestItems {
		if keys.ConsistentRead == nil || !*keys.ConsistentRead {
			t.Errorf("%s is not read strongly consistent", table)
		}
	}
}

func TestGetTogether_AsksAgainForUnprocessedKeysWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		all, want := lookups(t, tb)
		calls := 0
		tb.around = func(input any, send func() (any, error)) (any, error) {
			in := input.(*dynamodb.BatchGetItemInput)
			if calls++; calls > 4 {
				return send()
			}
			// One table at a time is answered.
			one := map[string]types.KeysAndAttributes{}
			rest := map[string]types.KeysAndAttributes{}
			for table, keys := range in.RequestItems {
				if len(one) == 0 {
					one[table] = keys
				} else {
					rest[table] = keys
				}
			}
			out, err := tb.db.Client().BatchGetItem(context.Background(), &dynamodb.BatchGetItemInput{RequestItems: one})
			if err == nil {
				out.UnprocessedKeys = rest
			}
			return out, err
		}
		began := time.Now()
		got, err := dynamo.GetTogether(t.Context(), tb.client, all...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, values); diff != "" {
			t.Errorf("items (-want +got):\n%s", diff)
		}
		if took := time.Since(began); calls != 4 || !paused(took, 140*time.Millisecond) {
			t.Errorf("%d calls in %v", calls, took)
		}
	})
}

func TestGetTogether_GivesUpAfterTenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		tb.around = func(input any, _ func() (any, error)) (any, error) {
			return &dynamodb.BatchGetItemOutput{UnprocessedKeys: input.(*dynamodb.BatchGetItemInput).RequestItems}, nil
		}
		if got, err := dynamo.GetTogether(t.Context(), tb.client, dynamo.Lookup{Table: tb.name, Key: keyOf(1)}); err == nil || got != nil || len(tb.calls) != 10 {
			t.Errorf("%v in %d calls, %v", got, len(tb.calls), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := dynamo.GetTogether(ctx, tb.client, dynamo.Lookup{Table: tb.name, Key: keyOf(1)}); !errors.Is(err, dynamo.ErrNoTime) {
			t.Errorf("in a short time: %v", err)
		}
	})
}

func TestGetTogether_ReportsAFailureAndAnAnswerToNoQuestion(t *testing.T) {
	tb := newTable()
	broken := errors.New("broken")
	for name, answer := range map[string]func() (any, error){
		"a failure": func() (any, error) { return nil, broken },
		"another item": func() (any, error) {
			return &dynamodb.BatchGetItemOutput{Responses: map[string][]dynamo.Item{tb.name: {keyOf(2)}}}, nil
		},
		"another table": func() (any, error) {
			return &dynamodb.BatchGetItemOutput{Responses: map[string][]dynamo.Item{"x": {keyOf(1)}}}, nil
		},
		"part of the key": func() (any, error) {
			return &dynamodb.BatchGetItemOutput{Responses: map[string][]dynamo.Item{tb.name: {{"pk": keyOf(1)["pk"]}}}}, nil
		},
	} {
		tb.around = func(any, func() (any, error)) (any, error) { return answer() }
		if got, err := dynamo.GetTogether(t.Context(), tb.client, dynamo.Lookup{Table: tb.name, Key: keyOf(1)}); err == nil || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
