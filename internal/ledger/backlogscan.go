package ledger

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// backlogScan is the row of the state table that says where the sweeper goes on to
// read the backlog, if one sweep had no time for all of it.
const backlogScan = "backlog_scan"

type backlogScanItem struct {
	Name string `dynamodbav:"name"`
	// Entity and DirtyID are the last row that was read; absent at the beginning.
	Entity  string `dynamodbav:"entity,omitempty"`
	DirtyID string `dynamodbav:"dirty_id,omitempty"`

	Refused        string `dynamodbav:"refused,omitempty"`
	FirstRefusedAt int64  `dynamodbav:"first_refused_at,omitempty"`
	RefusedAt      int64  `dynamodbav:"refused_at,omitempty"`
}

// BacklogScan returns where to go on reading the backlog.
func (l *Ledger) BacklogScan(ctx context.Context) (scan surgical.BacklogScan, err error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &l.tables.State, Key: stateKey(backlogScan)})
	if err != nil {
		return scan, fmt.Errorf("read the position in the backlog: %w", err)
	}
	var row backlogScanItem
	if err := attributevalue.UnmarshalMap(out.Item, &row); err != nil {
		return scan, fmt.Errorf("decode the position in the backlog: %w", err)
	}
	scan.After.ID, scan.FirstRefusedAt, scan.RefusedAt = row.DirtyID, dynamo.FromMicros(row.FirstRefusedAt), dynamo.FromMicros(row.RefusedAt)
	if row.Entity != "" {
		if scan.After.Ref, err = surgical.ParseEntityRef(row.Entity); err != nil {
			return surgical.BacklogScan{}, fmt.Errorf("decode the position in the backlog: %w", err)
		}
	}
	if row.Refused != "" {
		if scan.Refused, err = surgical.ParseEntityRef(row.Refused); err != nil {
			return surgical.BacklogScan{}, fmt.Errorf("decode the refused entity of the backlog: %w", err)
		}
	}
	return scan, nil
}

// SetBacklogScan stores where the next sweep goes on; the zero value for the beginning.
func (l *Ledger) SetBacklogScan(ctx context.Context, scan surgical.BacklogScan) error {
	row := backlogScanItem{
		Name: backlogScan, DirtyID: scan.After.ID, FirstRefusedAt: dynamo.Micros(scan.FirstRefusedAt), RefusedAt: dynamo.Micros(scan.RefusedAt),
	}
	if row.DirtyID != "" {
		row.Entity = scan.After.Ref.Key()
	}
	if !scan.RefusedAt.IsZero() {
		row.Refused = scan.Refused.Key()
	}
	item, err := attributevalue.MarshalMap(row)
	if err == nil {
		_, err = l.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &l.tables.State, Item: item})
	}
	if err != nil {
		return fmt.Errorf("store the position in the backlog: %w", err)
	}
	return nil
}
