package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// projectsAtOnce is how many rows a list of all projects reads at a time.
const projectsAtOnce = 100

// ProjectLookups names the two items that say what is known of a project, for
// [ProjectOf].
func (l *Ledger) ProjectLookups(projectID int64) []dynamo.Lookup {
	return []dynamo.Lookup{
		{Table: l.tables.Projects, Key: projectKey(projectID, projectRow)},
		{Table: l.tables.Projects, Key: projectKey(directory, projectRow)},
	}
}

// ProjectOf decodes what [Ledger.ProjectLookups] found, in that order. A project
// without a row is not an error.
func ProjectOf(projectID int64, items []dynamo.Item) (surgical.Project, error) {
	if len(items) != 2 {
		return surgical.Project{}, errors.New("decode project: it takes two items")
	}
	all, err := decodeProject(directory, items[1])
	if err != nil {
		return surgical.Project{}, err
	}
	p, err := decodeProject(projectID, items[0])
	return p.Hide(all.HiddenAt), err
}

// PathLookup names the project's row only, for [PathOf].
func (l *Ledger) PathLookup(projectID int64) dynamo.Lookup { return l.ProjectLookups(projectID)[0] }

// PathOf decodes the path in a project's row: the newest known one, or "".
func PathOf(item dynamo.Item) (string, error) {
	var row struct {
		Path string `dynamodbav:"path"`
	}
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return "", fmt.Errorf("decode project: %w", err)
	}
	return row.Path, nil
}

// Project reads what is known of a project, strongly consistent. A project without a
// row is not an error.
func (l *Ledger) Project(ctx context.Context, projectID int64) (surgical.Project, error) {
	items, err := dynamo.GetTogether(ctx, l.db, l.ProjectLookups(projectID)...)
	if err != nil {
		return surgical.Project{}, fmt.Errorf("read project %d: %w", projectID, err)
	}
	return ProjectOf(projectID, items)
}

// ProjectHiddenAt returns when the project was last hidden, zero if never.
func (l *Ledger) ProjectHiddenAt(ctx context.Context, projectID int64) (time.Time, error) {
	p, err := l.Project(ctx, projectID)
	return p.HiddenAt, err
}

// Projects yields every project that has a row, in the order of their ids.
func (l *Ledger) Projects(ctx context.Context) iter.Seq2[surgical.Project, error] {
	return l.ProjectsAfter(ctx, 0, projectsAtOnce)
}

// ProjectsAfter is [Ledger.Projects] for the ids greater than after. It reads as many
// rows at once as the caller expects to need.
func (l *Ledger) ProjectsAfter(ctx context.Context, after int64, atOnce int) iter.Seq2[surgical.Project, error] {
	return func(yield func(surgical.Project, error) bool) {
		for {
			ids, more, err := l.projectIDs(ctx, after, atOnce)
			var rows []surgical.Project
			if err == nil {
				rows, err = l.ProjectsOf(ctx, ids)
			}
			if err != nil {
				yield(surgical.Project{}, fmt.Errorf("list projects: %w", err))
				return
			}
			for _, row := range rows {
				if row.Known && !yield(row, nil) {
					return
				}
			}
			if !more {
				return
			}
			after = ids[len(ids)-1]
		}
	}
}

// projectIDs returns the next ids of the directory, up to the limit, and whether there
// may be more.
func (l *Ledger) projectIDs(ctx context.Context, after int64, limit int) (ids []int64, more bool, err error) {
	expr, err := expression.NewBuilder().WithKeyCondition(
		expression.Key("project_id").Equal(expression.Value(directory)).
			And(expression.Key("item").Between(expression.Value(listedItem(after+1)), expression.Value(listedPrefix+"~"))),
	).Build()
	if err != nil {
		return nil, false, err
	}
	for item, err := range dynamo.QueryAll(ctx, l.db, &dynamodb.QueryInput{
		TableName: &l.tables.Projects, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression: expr.KeyCondition(), ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}) {
		if err != nil {
			return nil, false, err
		}
		var entry directoryItem
		if err := attributevalue.UnmarshalMap(item, &entry); err != nil {
			return nil, false, err
		}
		if ids = append(ids, entry.ID); len(ids) == limit {
			return ids, true, nil
		}
	}
	return ids, false, nil
}

// directoryItem is an entry of the directory: one of the list, or a path.
type directoryItem struct {
	ID int64 `dynamodbav:"id"`
	// SeenAt is when a fetch began that showed the project under the path.
	SeenAt int64 `dynamodbav:"seen_at,omitempty"`
}

// ProjectsOf reads what is known of each project, strongly consistent, in the order
// of the ids, each of which must occur only once.
func (l *Ledger) ProjectsOf(ctx context.Context, ids []int64) ([]surgical.Project, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := []dynamo.Item{projectKey(directory, projectRow)}
	for _, id := range ids {
		keys = append(keys, projectKey(id, projectRow))
	}
	items, err := dynamo.GetAll(ctx, l.db, l.tables.Projects, keys)
	if err != nil {
		return nil, fmt.Errorf("read %d projects: %w", len(ids), err)
	}
	var all surgical.Project
	found := make(map[int64]surgical.Project, len(items))
	for _, item := range items {
		var key struct {
			ProjectID int64 `dynamodbav:"project_id"`
		}
		if err := attributevalue.UnmarshalMap(item, &key); err != nil {
			return nil, fmt.Errorf("decode project: %w", err)
		}
		p, err := decodeProject(key.ProjectID, item)
		if err != nil {
			return nil, err
		}
		if p.ID == directory {
			all = p
		}
		found[p.ID] = p
	}
	list := make([]surgical.Project, len(ids))
	for i, id := range ids {
		p := found[id]
		p.ID = id
		list[i] = p.Hide(all.HiddenAt)
	}
	return list, nil
}

// ProjectByPath returns the id of the project that was last seen under the path, in
// any case: its current path, or an earlier one that no other project has taken
// since. It is 0 for an unknown path.
func (l *Ledger) ProjectByPath(ctx context.Context, path string) (int64, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &l.tables.Projects, Key: projectKey(directory, pathItem(path)), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return 0, fmt.Errorf("look a project up by its path: %w", err)
	}
	var entry directoryItem
	if err := attributevalue.UnmarshalMap(out.Item, &entry); err != nil {
		return 0, fmt.Errorf("decode a project's path: %w", err)
	}
	return entry.ID, nil
}
