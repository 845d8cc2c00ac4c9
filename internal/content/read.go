package content

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Entity is an entity as readers see it: exactly one snapshot.
type Entity struct {
	surgical.Head
	// Entity is GitLab's JSON of the entity. Its volatile fields have the values of
	// the last real change, except updated_at, which is always the latest.
	Entity json.RawMessage
	// Discussions and Events (by kind) are GitLab's JSON, in order of creation.
	Discussions []json.RawMessage
	Events      map[surgical.ChildKind][]json.RawMessage
}

// Read returns the entity as it is now: the snapshot that one head names,
// whatever is committed at the same time, without what may not be shown. The error for
// an entity that is not shown is [surgical.CodeEntityGone] or
// [surgical.CodeEntityNotFound].
func (r *Reader) Read(ctx context.Context, ref surgical.EntityRef) (entity Entity, err error) {
	err = r.ReadRevision(ctx, ref, func(v *Revision) error {
		entity, err = v.whole(ctx)
		return err
	})
	return entity, err
}

// collection returns a strongly consistent query for the sort keys that begin
// with the prefix; "" is for all.
func (s *Store) collection(ref surgical.EntityRef, prefix string, attributes ...expression.NameBuilder) (*dynamodb.QueryInput, error) {
	within := expression.Key("pk").Equal(expression.Value(partition(ref)))
	if prefix != "" {
		within = within.And(expression.Key("sk").BeginsWith(prefix))
	}
	builder := expression.NewBuilder().WithKeyCondition(within)
	if len(attributes) > 0 {
		builder = builder.WithProjection(expression.NamesList(attributes[0], attributes[1:]...))
	}
	expr, err := builder.Build()
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", prefix, err)
	}
	return &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: expr.KeyCondition(), ProjectionExpression: expr.Projection(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}, nil
}

// wholeEntity restores the description and the latest updated_at.
func wholeEntity(head surgical.Head, children map[string]json.RawMessage) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(children[entityChild], &fields); err != nil {
		return nil, fmt.Errorf("decode entity: %w", err)
	}
	if description, ok := children[descriptionChild]; ok {
		fields["description"] = description
	}
	updated, err := json.Marshal(head.UpdatedAt.UTC().Format(gitlabTime))
	if err != nil {
		return nil, fmt.Errorf("encode updated_at: %w", err)
	}
	fields["updated_at"] = updated
	return json.Marshal(fields)
}

// gitlabTime is the format of times in GitLab's REST API.
const gitlabTime = "2006-01-02T15:04:05.000Z07:00"

const (
	entityChild      = string(surgical.KindEntity) + "#0"
	descriptionChild = string(surgical.KindDescription) + "#0"
)
