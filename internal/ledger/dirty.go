package ledger

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// dirtyItem is a row of dirty_sources.
type dirtyItem struct {
	Entity    string   `dynamodbav:"entity"`
	ID        string   `dynamodbav:"dirty_id"`
	ProjectID int64    `dynamodbav:"project_id"`
	RunID     string   `dynamodbav:"run_id"`
	Revision  int64    `dynamodbav:"revision"`
	All       bool     `dynamodbav:"all,omitempty"`
	Children  []string `dynamodbav:"children,omitempty"`
	Hide      bool     `dynamodbav:"hide,omitempty"`
	CreatedAt int64    `dynamodbav:"created_at"`
	Attempts  int64    `dynamodbav:"attempts,omitempty"`
	// Since is absent if it equals CreatedAt.
	Since int64 `dynamodbav:"since,omitempty"`
}

func (d dirtyItem) source() (surgical.DirtySource, error) {
	ref, err := surgical.ParseEntityRef(d.Entity)
	if err != nil {
		return surgical.DirtySource{}, fmt.Errorf("decode dirty source %s: %w", d.ID, err)
	}
	return surgical.DirtySource{
		ID: d.ID, Ref: ref, RunID: d.RunID, Revision: d.Revision, CreatedAt: dynamo.FromMicros(d.CreatedAt), Attempts: d.Attempts, Since: dynamo.FromMicros(d.Since),
		Scope: surgical.Scope{All: d.All, Children: d.Children, Hide: d.Hide},
	}, nil
}

// InsertDirty inserts the dirty source within a transaction.
func (l *Ledger) InsertDirty(d surgical.DirtySource) (types.TransactWriteItem, error) {
	return putItem(l.tables.DirtySources, "dirty_id", dirtyItem{
		Entity: d.Ref.Key(), ID: d.ID, ProjectID: d.Ref.ProjectID, RunID: d.RunID, Revision: d.Revision,
		All: d.Scope.All, Children: d.Scope.Children, Hide: d.Scope.Hide, CreatedAt: dynamo.Micros(d.CreatedAt), Attempts: d.Attempts, Since: dynamo.Micros(d.Since),
	})
}

func dirtyKey(ref surgical.EntityRef, id string) dynamo.Item {
	return dynamo.Item{
		"entity":   &types.AttributeValueMemberS{Value: ref.Key()},
		"dirty_id": &types.AttributeValueMemberS{Value: id},
	}
}

// deleteDirty removes the dirty source within a transaction.
func (l *Ledger) deleteDirty(ref surgical.EntityRef, id string) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{TableName: &l.tables.DirtySources, Key: dirtyKey(ref, id)}}
}

// DirtySources lists the entity's dirty sources.
func (l *Ledger) DirtySources(ctx context.Context, ref surgical.EntityRef) ([]surgical.DirtySource, error) {
	var list []surgical.DirtySource
	for item, err := range l.under(ctx, l.tables.DirtySources, "entity", ref.Key()) {
		if err != nil {
			return nil, fmt.Errorf("list dirty sources of %s: %w", ref, err)
		}
		var row dirtyItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode a dirty source of %s: %w", ref, err)
		}
		source, err := row.source()
		if err != nil {
			return nil, err
		}
		list = append(list, source)
	}
	return list, nil
}

// Behind says whether the entity's documents or embeddings are older than its copy, and
// what happens next; nil if they are current. It reads the entity's dirty sources and,
// if there are any, their runs.
func (l *Ledger) Behind(ctx context.Context, ref surgical.EntityRef) (*surgical.Behind, error) {
	sources, err := l.DirtySources(ctx, ref)
	if err != nil {
		return nil, err
	}
	var rows []surgical.Undone
	for _, source := range sources {
		run, _, err := l.ended(ctx, source.RunID)
		if err != nil {
			return nil, err
		}
		rows = append(rows, surgical.Undone{DirtySource: source, Run: run})
	}
	return surgical.BehindOf(rows), nil
}
