package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/rand"

	"gitlab.com/lorehook/lorehook/internal/duration"
)

// maxConflicts bounds how often a transaction is sent again after a conflict. A
// conflict lasts as long as the other transaction: milliseconds.
const maxConflicts = 6

// Transact writes the items in one transaction. It sends the transaction again if
// it was cancelled because of a conflict with another writer, and, as long as the
// context's deadline leaves time, if it was throttled: the SDK does not retry a
// transaction that one throttled item cancelled. All tries carry one token, so that
// a try whose answer was lost is not applied twice, nor refused for what it wrote.
func Transact(ctx context.Context, db *dynamodb.Client, items []types.TransactWriteItem) error {
	token, err := rand.NewUUID(rand.Reader).GetUUID()
	if err != nil {
		return fmt.Errorf("make the token of a transaction: %w", err)
	}
	p := paceOf(ctx)
	for conflicts := 0; ; {
		_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items, ClientRequestToken: &token})
		switch {
		case err == nil:
			return nil
		case Throttled(err):
			if p.again(ctx) != nil {
				return err
			}
		case Contended(err) && Refusals(err) == nil && conflicts < maxConflicts:
			conflicts++
			if duration.Wait(ctx, PauseBefore(conflicts)) != nil {
				return err
			}
		default:
			return err
		}
	}
}
