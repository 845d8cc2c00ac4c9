package conformance

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/config"
)

// Engine is an engine with empty tables.
type Engine struct {
	DB     *dynamodb.Client
	Tables config.Tables
	// Lenient engines accept some input that DynamoDB rejects; these cases are
	// skipped for them.
	Lenient bool
}

// Run runs the whole suite.
func Run(t *testing.T, e Engine) {
	t.Run("conditions", e.conditions)
	t.Run("updates", e.updates)
	t.Run("transactions", e.transactions)
	t.Run("batches", e.batches)
	t.Run("pages", e.pages)
	t.Run("indexes", e.indexes)
	t.Run("consumed", e.consumed)
	t.Run("refusals", e.refusals)
	t.Run("ledger", e.ledgerConditions)
	t.Run("jobs", e.jobConditions)
	t.Run("content", e.contentConditions)
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
func object(item dynamo.Item) types.AttributeValue { return &types.AttributeValueMemberM{Value: item} }

// key returns a key of the content table.
func key(pk, sk string) dynamo.Item { return dynamo.Item{"pk": str(pk), "sk": str(sk)} }

// with returns the key with further attributes.
func with(key, attributes dynamo.Item) dynamo.Item {
	item := dynamo.Item{}
	for _, m := range []dynamo.Item{key, attributes} {
		for name, value := range m {
			item[name] = value
		}
	}
	return item
}

func (e Engine) put(t *testing.T, item dynamo.Item) {
	t.Helper()
	if _, err := e.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &e.Tables.Content, Item: item}); err != nil {
		t.Fatal(err)
	}
}

func (e Engine) get(t *testing.T, key dynamo.Item) dynamo.Item {
	t.Helper()
	out, err := e.DB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &e.Tables.Content, Key: key, ConsistentRead: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

// code returns the code of an API error; "" for success.
func code(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return err.Error()
}

// transact executes the writes and returns the codes of the cancellation
// reasons.
func (e Engine) transact(ctx context.Context, items ...types.TransactWriteItem) ([]string, error) {
	_, err := e.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return nil, err
	}
	var codes []string
	for _, reason := range cancelled.CancellationReasons {
		code := "None"
		if reason.Code != nil {
			code = *reason.Code
		}
		codes = append(codes, code)
	}
	return codes, nil
}
