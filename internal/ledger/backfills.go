package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxMoved bounds how often a change is tried again because somebody else changed the
// row in the meantime.
const maxMoved = 5

// StartBackfill stores the backfill of a project, unless one is running: that one is
// returned then. If a request for several projects wants the backfill, it is noted as
// wanting the running one. Starting the same backfill again returns it as it is; if a
// later one took its place within the 90 days before, the error is
// [surgical.ErrReplaced].
func (l *Ledger) StartBackfill(ctx context.Context, p surgical.Pass) (surgical.Pass, error) {
	for range maxMoved {
		current, err := l.Pass(ctx, p.ProjectID, surgical.PassBackfill)
		if err != nil {
			return current, err
		}
		next, change := p, PassChange{}
		switch {
		case current.ID == p.ID, current.Status == surgical.StatusRunning && (p.Wants(p.ID) || current.Wants(p.For[0])):
			return current, nil
		case current.Status == surgical.StatusRunning:
			next = current
			next.For = append(slices.Clone(current.For), p.For...)
		default:
			if err := l.replacedBefore(ctx, p); err != nil {
				return current, err
			}
			if change.Drop, err = l.Windows(ctx, current); err != nil {
				return current, err
			}
			next, change.Put = p.Replacing(current, change.Drop)
			change.DropOf = current
		}
		stored, err := l.SavePass(ctx, next, change)
		if !errors.Is(err, surgical.ErrMoved) {
			return stored, err
		}
	}
	return surgical.Pass{}, fmt.Errorf("start the backfill of project %d: %w", p.ProjectID, surgical.ErrMoved)
}

// replacedPrefix, the kind and the id are an item that remembers a pass whose place
// another one took.
const replacedPrefix = "replaced#"

func replacedItem(p surgical.Pass) string { return replacedPrefix + string(p.Kind) + "#" + p.ID }

func (l *Ledger) replacedBefore(ctx context.Context, p surgical.Pass) error {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &l.tables.Projects, Key: projectKey(p.ProjectID, replacedItem(p)), ConsistentRead: aws.Bool(true),
	})
	switch {
	case err != nil:
		return fmt.Errorf("look for backfill %s: %w", p.ID, err)
	case out.Item != nil:
		return fmt.Errorf("backfill %s: %w", p.ID, surgical.ErrReplaced)
	}
	return nil
}

// replaced remembers the pass.
func (l *Ledger) replaced(p surgical.Pass) (types.TransactWriteItem, error) {
	item := projectKey(p.ProjectID, replacedItem(p))
	expires, err := attributevalue.Marshal(l.clock().Add(runLifetime).Unix())
	item["expires_at"] = expires
	return types.TransactWriteItem{Put: &types.Put{TableName: &l.tables.Projects, Item: item}}, err
}

// ChangePass changes the pass as long as it is the one with the id; otherwise the
// error is [surgical.CodeBackfillNotFound]. change reports false to leave it as it is.
func (l *Ledger) ChangePass(ctx context.Context, projectID int64, id string, change func(surgical.Pass) (surgical.Pass, bool)) (surgical.Pass, error) {
	for range maxMoved {
		current, err := l.Pass(ctx, projectID, surgical.PassBackfill)
		if err != nil {
			return current, err
		}
		if current.ID != id {
			return current, surgical.NewError(surgical.CodeBackfillNotFound, "there is no backfill "+id+", or a later one took its place")
		}
		next, changed := change(current)
		if !changed {
			return current, nil
		}
		stored, err := l.SavePass(ctx, next, PassChange{})
		if !errors.Is(err, surgical.ErrMoved) {
			return stored, err
		}
	}
	return surgical.Pass{}, fmt.Errorf("change backfill %s: %w", id, surgical.ErrMoved)
}

// requestPrefix begins the items, under project 0, of requests for backfills of several
// projects.
const requestPrefix = "backfill#"

// backfillItem is such a request. Times are Unix microseconds.
type backfillItem struct {
	ProjectID int64  `dynamodbav:"project_id"`
	Item      string `dynamodbav:"item"`
	Version   int64  `dynamodbav:"version"`
	Revision  int64  `dynamodbav:"revision"`

	ID      string `dynamodbav:"id"`
	Project string `dynamodbav:"project,omitempty"`
	Group   string `dynamodbav:"group,omitempty"`
	All     bool   `dynamodbav:"all,omitempty"`
	Status  string `dynamodbav:"status"`

	CreatedAt  int64 `dynamodbav:"created_at"`
	UpdatedAt  int64 `dynamodbav:"updated_at,omitempty"`
	FinishedAt int64 `dynamodbav:"finished_at,omitempty"`
	DueAt      int64 `dynamodbav:"due_at,omitempty"`

	Cursor     string `dynamodbav:"cursor,omitempty"`
	Listed     bool   `dynamodbav:"listed,omitempty"`
	Projects   int64  `dynamodbav:"projects,omitempty"`
	NotAllowed int64  `dynamodbav:"not_allowed,omitempty"`
	Joined     int64  `dynamodbav:"joined,omitempty"`
	Unreadable int64  `dynamodbav:"unreadable,omitempty"`
	Requests   int64  `dynamodbav:"requests,omitempty"`

	Error        *errorItem `dynamodbav:"error,omitempty"`
	Tries        int64      `dynamodbav:"tries,omitempty"`
	FailingSince int64      `dynamodbav:"failing_since,omitempty"`

	ExpiresAt  int64  `dynamodbav:"expires_at,omitempty"`
	WriteToken string `dynamodbav:"write_token,omitempty"`
}

func backfillOf(item dynamo.Item) (surgical.BackfillRequest, error) {
	var row backfillItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.BackfillRequest{}, fmt.Errorf("decode a request for backfills: %w", err)
	}
	r := surgical.BackfillRequest{
		ID: row.ID, Scope: surgical.BackfillScope{Project: row.Project, Group: row.Group, All: row.All},
		Status: surgical.RunStatus(row.Status), Revision: row.Revision,
		CreatedAt: dynamo.FromMicros(row.CreatedAt), UpdatedAt: dynamo.FromMicros(row.UpdatedAt), FinishedAt: dynamo.FromMicros(row.FinishedAt), DueAt: dynamo.FromMicros(row.DueAt),
		Cursor: row.Cursor, Listed: row.Listed, Projects: row.Projects, NotAllowed: row.NotAllowed, Joined: row.Joined, Unreadable: row.Unreadable, Requests: row.Requests,
		Tries: row.Tries, FailingSince: dynamo.FromMicros(row.FailingSince),
	}
	var err error
	r.Error, err = row.Error.error("")
	if row.Version != passVersion {
		r = r.Outdated(row.Version)
	}
	return r, err
}

// SaveBackfillRequest stores the request in place of the row as it was read. If the
// row has changed in the meantime, or is there although it should not, the error is
// [surgical.ErrMoved].
func (l *Ledger) SaveBackfillRequest(ctx context.Context, r surgical.BackfillRequest) (surgical.BackfillRequest, error) {
	read, now := r.Revision, l.clock()
	r.Revision++
	r.UpdatedAt = now
	row := backfillItem{
		ProjectID: directory, Item: requestPrefix + r.ID, Version: passVersion, Revision: r.Revision,
		ID: r.ID, Project: r.Scope.Project, Group: r.Scope.Group, All: r.Scope.All, Status: string(r.Status),
		CreatedAt: dynamo.Micros(r.CreatedAt), UpdatedAt: dynamo.Micros(r.UpdatedAt), FinishedAt: dynamo.Micros(r.FinishedAt), DueAt: dynamo.Micros(r.DueAt),
		Cursor: r.Cursor, Listed: r.Listed, Projects: r.Projects, NotAllowed: r.NotAllowed, Joined: r.Joined, Unreadable: r.Unreadable, Requests: r.Requests,
		Error: itemOfError(r.Error), Tries: r.Tries, FailingSince: dynamo.Micros(r.FailingSince), WriteToken: l.tokens(),
	}
	if r.Status.Terminal() {
		row.ExpiresAt = now.Add(runLifetime).Unix()
	}
	item, err := attributevalue.MarshalMap(row)
	if err != nil {
		return r, fmt.Errorf("encode a request for backfills: %w", err)
	}
	expr, err := expression.NewBuilder().WithCondition(atRevision(read)).Build()
	if err != nil {
		return r, err
	}
	_, err = l.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &l.tables.Projects, Item: item, ConditionExpression: expr.Condition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
	if dynamo.IsConditionFailed(err) {
		_, err = l.own(ctx, l.tables.Projects, projectKey(directory, row.Item), row.WriteToken)
	}
	if err != nil {
		return r, fmt.Errorf("save a request for backfills: %w", err)
	}
	return backfillOf(item)
}

// BackfillRequest reads a request for the backfills of several projects. The error for
// an unknown one is [surgical.CodeBackfillNotFound].
func (l *Ledger) BackfillRequest(ctx context.Context, id string) (surgical.BackfillRequest, error) {
	out, err := l.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &l.tables.Projects, Key: projectKey(directory, requestPrefix+id), ConsistentRead: aws.Bool(true),
	})
	switch {
	case err != nil:
		return surgical.BackfillRequest{}, fmt.Errorf("read a request for backfills: %w", err)
	case out.Item == nil:
		return surgical.BackfillRequest{}, surgical.NewError(surgical.CodeBackfillNotFound, "there is no backfill "+id)
	}
	return backfillOf(out.Item)
}

// BackfillRequests lists all requests for the backfills of several projects, strongly
// consistent. They expire 90 days after their end.
func (l *Ledger) BackfillRequests(ctx context.Context) ([]surgical.BackfillRequest, error) {
	var all []surgical.BackfillRequest
	for item, err := range l.itemsOfProject(ctx, directory, requestPrefix) {
		if err != nil {
			return nil, fmt.Errorf("list requests for backfills: %w", err)
		}
		r, err := backfillOf(item)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b surgical.BackfillRequest) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}
