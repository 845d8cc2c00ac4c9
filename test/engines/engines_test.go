package engines_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/test/engines"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

func TestEveryCallGetsEmptyTablesOfItsOwn(t *testing.T) {
	for range 2 {
		engines.RunOnEvery(t, func(t *testing.T, e engines.Engine) {
			item := map[string]types.AttributeValue{"name": &types.AttributeValueMemberS{Value: "checkpoint"}}
			got, err := e.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
				TableName: &e.Tables.State, Key: item, ConsistentRead: aws.Bool(true),
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Item) > 0 {
				t.Errorf("the table of %s holds %v before anything was written", e.Name, got.Item)
			}
			if _, err := e.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &e.Tables.State, Item: item}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
