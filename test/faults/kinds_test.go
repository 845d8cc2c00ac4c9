package faults_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	"gitlab.com/lorehook/lorehook/test/faults"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// onEngines runs f on the in-memory DynamoDB and on the real engines.
func onEngines(t *testing.T, f func(t *testing.T, db *dynamodb.Client, tables config.Tables)) {
	t.Run("in-memory", func(t *testing.T) {
		db, tables := fakedynamodb.New()
		f(t, db.Client(), tables)
	})
	engines.RunOnEvery(t, func(t *testing.T, e engines.Engine) { f(t, e.DynamoDB, e.Tables) })
}

func item(n int) dynamo.Item {
	return dynamo.Item{
		"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberS{Value: fmt.Sprintf("child#%02d", n)},
		"n": &types.AttributeValueMemberN{Value: fmt.Sprint(n)},
	}
}

// always makes every call that the kind hits fail in that way, and counts them.
func always(client *dynamodb.Client, kind faults.Kind, hits *int) *dynamodb.Client {
	return cloud.Intercept(client, func(ctx context.Context, call cloud.Call, send func() error) error {
		if !kind.Hits(call) {
			return send()
		}
		*hits++
		return kind.Do(ctx, call, send)
	})
}

func TestPagesThatEndEarlyAndEmptyOnesShowEveryItemOnceInTheEnd(t *testing.T) {
	onEngines(t, func(t *testing.T, client *dynamodb.Client, tables config.Tables) {
		const n = 7
		var want []string
		for i := range n {
			if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &tables.Content, Item: item(i)}); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprint(i))
		}
		for _, kind := range []faults.Kind{faults.PartialPage, faults.EmptyPage} {
			hits, seen := 0, 0
			db := cloud.Intercept(client, func(ctx context.Context, call cloud.Call, send func() error) error {
				hits++
				err := kind.Do(ctx, call, send)
				if out, ok := call.Output().(*dynamodb.QueryOutput); ok && len(out.Items) > 0 {
					seen++
				}
				return err
			})
			var got []string
			for found, err := range dynamo.QueryAll(t.Context(), db, &dynamodb.QueryInput{
				TableName: &tables.Content, KeyConditionExpression: aws.String("#p = :p AND begins_with(#s, :s)"),
				ExpressionAttributeNames:  map[string]string{"#p": "pk", "#s": "sk"},
				ExpressionAttributeValues: dynamo.Item{":p": &types.AttributeValueMemberS{Value: "p"}, ":s": &types.AttributeValueMemberS{Value: "child#"}},
			}) {
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				got = append(got, found["n"].(*types.AttributeValueMemberN).Value)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", kind, diff)
			}
			if hits < n || kind == faults.EmptyPage && hits == seen {
				t.Errorf("%s: %d pages, %d of them with items", kind, hits, seen)
			}
			got = nil
			pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &tables.Content})
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				for _, found := range page.Items {
					got = append(got, found["n"].(*types.AttributeValueMemberN).Value)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("scan, %s (-want +got)\n%s", kind, diff)
			}
		}
	})
}

func TestUnprocessedItemsAndKeysAreAskedForAgainUntilNoneIsLeft(t *testing.T) {
	onEngines(t, func(t *testing.T, client *dynamodb.Client, tables config.Tables) {
		var items, keys []dynamo.Item
		for i := range 5 {
			items = append(items, item(i))
			keys = append(keys, dynamo.Item{"pk": items[i]["pk"], "sk": items[i]["sk"]})
		}
		hits := 0
		if err := dynamo.PutAll(t.Context(), always(client, faults.UnprocessedItems, &hits), tables.Content, items); err != nil || hits != 2 {
			t.Errorf("%d batches were cut, error %v", hits, err)
		}
		hits = 0
		got, err := dynamo.GetAll(t.Context(), always(client, faults.UnprocessedKeys, &hits), tables.Content, keys)
		if err != nil || len(got) != len(items) || hits != 2 {
			t.Errorf("%d items, %d batches were cut, error %v", len(got), hits, err)
		}
	})
}

func TestALateWriteLandsWhenItIsReleasedThoughItsCallerIsGone(t *testing.T) {
	onEngines(t, func(t *testing.T, client *dynamodb.Client, tables config.Tables) {
		var held faults.Held
		hits := 0
		db := always(client, faults.LateWrite, &hits)
		ctx, die := context.WithCancel(faults.With(t.Context(), faults.Setting{Held: &held}))
		if _, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &tables.Content, Item: item(1)}); err == nil {
			t.Error("the caller got no error")
		}
		die()
		stored := func() int {
			found, err := dynamo.GetAll(t.Context(), client, tables.Content, []dynamo.Item{{"pk": item(1)["pk"], "sk": item(1)["sk"]}})
			if err != nil {
				t.Fatal(err)
			}
			return len(found)
		}
		if stored() != 0 {
			t.Error("the write landed before it was released")
		}
		if applied := held.Release(); applied != 1 || stored() != 1 {
			t.Errorf("%d writes landed, %d items are stored", applied, stored())
		}
	})
}

func TestAWriteWhoseAnswerIsLostIsApplied(t *testing.T) {
	onEngines(t, func(t *testing.T, client *dynamodb.Client, tables config.Tables) {
		for i, kind := range []faults.Kind{faults.LostAnswer, faults.TimeoutApplied} {
			hits := 0
			if _, err := always(client, kind, &hits).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &tables.Content, Item: item(i)}); err == nil {
				t.Errorf("%s: no error", kind)
			}
			got, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &tables.Content, Key: dynamo.Item{"pk": item(i)["pk"], "sk": item(i)["sk"]}})
			if err != nil || got.Item == nil {
				t.Errorf("%s: item %v, error %v", kind, got, err)
			}
		}
		for i, kind := range []faults.Kind{faults.ServerError, faults.BrokenConnection, faults.Timeout, faults.WriteConflict, faults.Throttled} {
			hits := 0
			if _, err := always(client, kind, &hits).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &tables.Content, Item: item(10 + i)}); err == nil {
				t.Errorf("%s: no error", kind)
			}
			got, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &tables.Content, Key: dynamo.Item{"pk": item(10)["pk"], "sk": item(10 + i)["sk"]}})
			if err != nil || got.Item != nil {
				t.Errorf("%s was applied: item %v, error %v", kind, got, err)
			}
		}
	})
}

func TestEveryKindHitsSomeCall(t *testing.T) {
	calls := []cloud.Call{
		{Service: cloud.DynamoDB, Operation: "PutItem"}, {Service: cloud.DynamoDB, Operation: "TransactWriteItems"},
		{Service: cloud.DynamoDB, Operation: "Query"}, {Service: cloud.GitLab, Operation: "GET"},
		{Service: cloud.DynamoDB, Operation: "BatchGetItem", Input: &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"content": {Keys: make([]dynamo.Item, 2)}}}},
		{Service: cloud.DynamoDB, Operation: "BatchWriteItem", Input: &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"content": make([]types.WriteRequest, 2)}}},
	}
	seen := map[faults.Kind]bool{}
	for _, kind := range faults.Kinds() {
		if seen[kind] {
			t.Errorf("%s is listed twice", kind)
		}
		seen[kind] = true
		if !slices.ContainsFunc(calls, kind.Hits) {
			t.Errorf("%s hits nothing", kind)
		}
	}
}
