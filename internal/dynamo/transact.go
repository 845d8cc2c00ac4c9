package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// maxConflicts bounds how often a transaction is sent again after a conflict. A
// conflict lasts as long as the other transaction: milliseconds.
const maxConflicts = 6

// Transact writes the items in one transaction. It sends the transaction again if
// it was cancelled because of a conflict with another writer.
func Transact(ctx context.Context, db *dynamodb.Client, items []types.TransactWriteItem) error {
	for try := 0; ; try++ {
		_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
		if err == nil || !Contended(err) || Refusals(err) != nil || try == maxConflicts {
			return err
		}
		if pauseErr := pause(ctx, try+1); pauseErr != nil {
			return err
		}
	}
}
