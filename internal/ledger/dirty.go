package ledger

import (
	"context"
	"fmt"
	"slices"

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
}

func (d dirtyItem) source() (surgical.DirtySource, error) {
	ref, err := surgical.ParseEntityRef(d.Entity)
	if err != nil {
		return surgical.DirtySource{}, fmt.Errorf("decode dirty source %s: %w", d.ID, err)
	}
	return surgical.DirtySource{
		ID: d.ID, Ref: ref, RunID: d.RunID, Revision: d.Revision, CreatedAt: fromMicros(d.CreatedAt), Attempts: d.Attempts,
		Scope: surgical.Scope{All: d.All, Children: d.Children, Hide: d.Hide},
	}, nil
}

// InsertDirty inserts the dirty source within a transaction.
func (l *Ledger) InsertDirty(d surgical.DirtySource) (types.TransactWriteItem, error) {
	return putItem(l.tables.DirtySources, "dirty_id", dirtyItem{
		Entity: d.Ref.Key(), ID: d.ID, ProjectID: d.Ref.ProjectID, RunID: d.RunID, Revision: d.Revision,
		All: d.Scope.All, Children: d.Scope.Children, Hide: d.Scope.Hide, CreatedAt: micros(d.CreatedAt), Attempts: d.Attempts,
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

// Undone returns what the runs left of the entity without current documents or
// embeddings, or false if there is nothing.
func (l *Ledger) Undone(ctx context.Context, ref surgical.EntityRef, runIDs []string) (surgical.Scope, bool, error) {
	sources, err := l.DirtySources(ctx, ref)
	if err != nil {
		return surgical.Scope{}, false, err
	}
	var undone surgical.Scope
	found := false
	for _, source := range sources {
		if slices.Contains(runIDs, source.RunID) {
			undone, found = undone.Union(source.Scope), true
		}
	}
	return undone, found, nil
}

// Retried lists the runs that the run retries: its predecessor, that run's
// predecessor, and so on. The list ends at a run that has expired.
func (l *Ledger) Retried(ctx context.Context, run surgical.Run) ([]string, error) {
	var chain []string
	for id := run.RetryOf; id != ""; {
		before, err := l.Run(ctx, id)
		if surgical.CodeOf(err) == surgical.CodeRunNotFound {
			break
		}
		if err != nil {
			return nil, err
		}
		chain, id = append(chain, id), before.RetryOf
	}
	return chain, nil
}
