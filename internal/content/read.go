package content

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// maxOvertaken bounds how often a reader starts over because the items of its
// revision expired.
const maxOvertaken = 3

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
func (r *Reader) Read(ctx context.Context, ref surgical.EntityRef) (Entity, error) {
	for try := 1; ; try++ {
		entity, err := r.read(ctx, ref)
		if !errors.Is(err, errOvertaken) || try == maxOvertaken {
			return entity, err
		}
	}
}

func (r *Reader) read(ctx context.Context, ref surgical.EntityRef) (Entity, error) {
	item, err := r.store.headItem(ctx, ref)
	if err != nil {
		return Entity{}, err
	}
	head := surgical.Head{Ref: ref}
	if item != nil {
		head = item.head(ref)
	}
	sight, err := r.visible(ctx, head)
	if err != nil {
		return Entity{}, err
	}
	m, err := r.store.manifest(ctx, ref, item, everyPart)
	if err != nil {
		return Entity{}, err
	}
	children, err := r.store.children(ctx, ref, m.all())
	if err != nil {
		return Entity{}, err
	}
	return assemble(head, sight, children)
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

// assemble builds what is shown of an entity from its children.
func assemble(head surgical.Head, sight surgical.Sight, children map[string]json.RawMessage) (Entity, error) {
	entity := Entity{Head: head, Events: map[surgical.ChildKind][]json.RawMessage{}}
	lists := map[surgical.ChildKind][]string{}
	for _, child := range slices.Sorted(maps.Keys(children)) {
		kind, _, _ := strings.Cut(child, "#")
		lists[surgical.ChildKind(kind)] = append(lists[surgical.ChildKind(kind)], child)
	}
	for kind, list := range lists {
		switch kind {
		case surgical.KindEntity, surgical.KindDescription:
		case surgical.KindDiscussion:
			entity.Discussions = inOrder(list, shownNotes(list, children, sight))
		default:
			entity.Events[kind] = inOrder(list, children)
		}
	}
	var err error
	entity.Entity, err = wholeEntity(head, children)
	if err != nil {
		return Entity{}, fmt.Errorf("%s: %w", head.Ref, err)
	}
	return entity, nil
}

// shownNotes returns what is shown of the discussions.
func shownNotes(list []string, children map[string]json.RawMessage, sight surgical.Sight) map[string]json.RawMessage {
	shown := make(map[string]json.RawMessage, len(list))
	for _, child := range list {
		if raw, some := sight.Discussion(children[child]); some {
			shown[child] = raw
		}
	}
	return shown
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

// inOrder sorts those of the listed children that are in the map by creation, then by id;
// numeric ids sort as numbers.
func inOrder(list []string, children map[string]json.RawMessage) []json.RawMessage {
	type dated struct {
		created time.Time
		number  int64
		id      string
		raw     json.RawMessage
	}
	all := make([]dated, 0, len(list))
	for _, child := range list {
		raw, there := children[child]
		if !there {
			continue
		}
		_, id, _ := strings.Cut(child, "#")
		number, _ := strconv.ParseInt(id, 10, 64) // 0 for discussions: their ids are not numbers
		all = append(all, dated{created(raw), number, id, raw})
	}
	slices.SortFunc(all, func(a, b dated) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.number, b.number), strings.Compare(a.id, b.id))
	})
	sorted := make([]json.RawMessage, len(all))
	for i, d := range all {
		sorted[i] = d.raw
	}
	return sorted
}

// created returns the time of the event, or of the discussion's first note; the
// zero time if there is none.
func created(raw json.RawMessage) time.Time {
	var record struct {
		CreatedAt string `json:"created_at"`
		Notes     []struct {
			CreatedAt string `json:"created_at"`
		} `json:"notes"`
	}
	if err := json.Unmarshal(raw, &record); err != nil {
		return time.Time{}
	}
	at := record.CreatedAt
	if len(record.Notes) > 0 {
		at = record.Notes[0].CreatedAt
	}
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return time.Time{}
	}
	return t
}
