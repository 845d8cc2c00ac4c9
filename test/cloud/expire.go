package cloud

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// Expire deletes every item of the table that has an expiry, as DynamoDB
// eventually does, and returns the number of items deleted. Readers permanently
// see what is left.
func Expire(ctx context.Context, db *dynamodb.Client, table string) (int, error) {
	n := 0
	for pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &table}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return n, err
		}
		for _, item := range page.Items {
			if item[tables.ExpiresAt] == nil {
				continue
			}
			n++
			key := dynamo.Item{"pk": item["pk"], "sk": item["sk"]}
			if _, err := db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: key}); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}
