package dynamo_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

// answers is an HTTP client that gives these answers one after another.
type answers []string

// Do implements aws.HTTPClient.
func (a *answers) Do(*http.Request) (*http.Response, error) {
	body := (*a)[0]
	*a = (*a)[1:]
	status := http.StatusOK
	if strings.Contains(body, "__type") {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func TestNew_ReportsEachAttemptThatIsThrottled(t *testing.T) {
	const throttled = `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"too much"}`
	const cancelled = `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"cancelled","CancellationReasons":[{"Code":"None"},{"Code":"ThrottlingError"}]}`
	const refused = `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"}`
	name, key := aws.String("state"), map[string]types.AttributeValue{"name": &types.AttributeValueMemberS{Value: "a"}}
	get := func(ctx context.Context, db *dynamodb.Client) error {
		_, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: key})
		return err
	}
	put := func(ctx context.Context, db *dynamodb.Client) error {
		_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: name, Item: key})
		return err
	}
	transact := func(ctx context.Context, db *dynamodb.Client) error {
		_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: name, Item: key}}}})
		return err
	}
	batch := func(ctx context.Context, db *dynamodb.Client) error {
		_, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"state": {{PutRequest: &types.PutRequest{Item: key}}}}})
		return err
	}
	for what, c := range map[string]struct {
		answers answers
		call    func(context.Context, *dynamodb.Client) error
		want    int
		fails   bool
	}{
		"an answer":                    {answers{`{}`}, get, 0, false},
		"throttled once":               {answers{throttled, `{}`}, get, 1, false},
		"throttled in every attempt":   {answers{throttled, throttled, throttled, throttled}, get, 4, true},
		"a condition that failed":      {answers{refused}, put, 0, true},
		"a throttled transaction":      {answers{cancelled}, transact, 1, true},
		"a batch that is done":         {answers{`{"UnprocessedItems":{}}`}, batch, 0, false},
		"a batch that is done in part": {answers{`{"UnprocessedItems":{"state":[{"PutRequest":{"Item":{"name":{"S":"a"}}}}]}}`}, batch, 1, false},
	} {
		synctest.Test(t, func(t *testing.T) { // the pauses take no real time
			reported := 0
			if err := c.call(t.Context(), client(&c.answers, func() { reported++ })); reported != c.want || (err != nil) != c.fails {
				t.Errorf("%s: reported %d times, want %d; error %v", what, reported, c.want, err)
			}
		})
	}
}

func TestNew_SendsAWriteThatMetATransactionAgain(t *testing.T) {
	const conflict = `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionConflictException","message":"Transaction is ongoing for the item"}`
	name, key := aws.String("state"), dynamo.Item{"name": &types.AttributeValueMemberS{Value: "a"}}
	for what, write := range map[string]func(context.Context, *dynamodb.Client) error{
		"a put": func(ctx context.Context, db *dynamodb.Client) error {
			_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: name, Item: key})
			return err
		},
		"an update": func(ctx context.Context, db *dynamodb.Client) error {
			_, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: name, Key: key})
			return err
		},
		"a deletion": func(ctx context.Context, db *dynamodb.Client) error {
			_, err := db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: name, Key: key})
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) { // the pauses take no real time
			met, reported := answers{conflict, conflict, `{}`}, 0
			if err := write(t.Context(), client(&met, func() { reported++ })); err != nil || len(met) > 0 || reported > 0 {
				t.Errorf("%s: %v, %d answers are left, reported as throttled %d times", what, err, len(met), reported)
			}
			met = slices.Repeat(answers{conflict}, 10)
			if err := write(t.Context(), client(&met, nil)); !dynamo.Conflicted(err) || len(met) != 10-4 {
				t.Errorf("%s, without end: %v, %d answers are left", what, err, len(met))
			}
		})
	}
}

// client is a client to which DynamoDB gives the answers.
func client(given *answers, throttled func()) *dynamodb.Client {
	return dynamo.New(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), BaseEndpoint: aws.String("http://127.0.0.1"), HTTPClient: given,
	}, throttled)
}
