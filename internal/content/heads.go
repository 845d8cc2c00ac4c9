package content

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// Copies lists up to limit entities of the project that have a head, after the given
// target ("" for the first ones), in the order of their keys. next is where the list
// goes on, "" at its end. The index lags a little behind the heads.
func (s *Store) Copies(ctx context.Context, projectID int64, after string, limit int64) (refs []surgical.EntityRef, next string, err error) {
	in, err := s.copies(projectID, after)
	if err != nil {
		return nil, "", err
	}
	in.Limit = aws.Int32(int32(limit))
	out, err := s.db.Query(ctx, in)
	if err != nil {
		return nil, "", fmt.Errorf("list the copies of project %d: %w", projectID, err)
	}
	for _, item := range out.Items {
		var row headItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, "", fmt.Errorf("decode a key of project %d: %w", projectID, err)
		}
		target, err := surgical.ParseTarget(row.Entity)
		if err != nil {
			return nil, "", fmt.Errorf("list the copies of project %d: %w", projectID, err)
		}
		refs = append(refs, surgical.EntityRef{ProjectID: projectID, Target: target})
		next = row.Entity
	}
	if out.LastEvaluatedKey == nil {
		next = ""
	}
	return refs, next, nil
}

// CountCopies counts the entities of the project that have a head.
func (s *Store) CountCopies(ctx context.Context, projectID int64) (n int64, err error) {
	in, err := s.copies(projectID, "")
	if err != nil {
		return 0, err
	}
	for _, err := range dynamo.QueryAll(ctx, s.db, in) {
		if err != nil {
			return 0, fmt.Errorf("count the copies of project %d: %w", projectID, err)
		}
		n++
	}
	return n, nil
}

// copies is the query of the index of heads, whose items are keys only.
func (s *Store) copies(projectID int64, after string) (*dynamodb.QueryInput, error) {
	of := expression.Key("project_id").Equal(expression.Value(projectID))
	if after != "" {
		of = of.And(expression.Key("entity").GreaterThan(expression.Value(after)))
	}
	expr, err := expression.NewBuilder().WithKeyCondition(of).Build()
	if err != nil {
		return nil, fmt.Errorf("query the copies of project %d: %w", projectID, err)
	}
	return &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(tables.ContentByProject), KeyConditionExpression: expr.KeyCondition(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}, nil
}

// Heads reads the heads of the entities with strong consistency. refs must not
// repeat. Entities without a head are left out.
func (s *Store) Heads(ctx context.Context, refs []surgical.EntityRef) (map[surgical.EntityRef]surgical.Head, error) {
	keys := make([]dynamo.Item, len(refs))
	named := make(map[string]surgical.EntityRef, len(refs))
	for i, ref := range refs {
		keys[i], named[partition(ref)] = key(ref, headKey), ref
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	heads := make(map[surgical.EntityRef]surgical.Head, len(items))
	for _, item := range items {
		var row headItem
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode a head: %w", err)
		}
		ref := named[row.PK]
		heads[ref] = row.head(ref)
	}
	return heads, nil
}
