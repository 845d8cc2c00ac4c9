package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// maxConflicts bounds how often a transaction that met another one is sent
// again. Conflicts last as long as the other transaction: milliseconds.
const maxConflicts = 6

// Transact writes the items in one transaction. One that was cancelled only
// because it met another writer, with no condition failed, is sent again.
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
