package content

import (
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// guard is the condition on the head: nothing was committed, hidden or erased since the
// base was read, the fetches do not overlap, and updated_at goes back, or the entity
// away, only after the confirmation time. All but the first part follows from it and
// from Head.Accepts; it is repeated here so that no bug elsewhere can overwrite a
// newer copy with an older one.
func guard(base surgical.Head, snap surgical.Snapshot) expression.ConditionBuilder {
	if !base.Exists() {
		return expression.AttributeNotExists(expression.Name("pk"))
	}
	fetchedUntil := expression.Name("fetched_until")
	if snap.Missing {
		return unmoved(base).And(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro())))
	}
	return unmoved(base).
		And(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.UnixMicro()))).
		And(expression.Name("updated_at").LessThanEqual(expression.Value(snap.UpdatedAt.UnixMicro())).
			Or(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro()))))
}

// unmoved holds while the head has the revision that was read, nothing hid it since,
// and its entity is not erased. To hide leaves the revision.
func unmoved(base surgical.Head) expression.ConditionBuilder {
	hidden := expression.Name("hidden_since")
	asRead := hidden.Equal(expression.Value(dynamo.Micros(base.HiddenSince)))
	if base.HiddenSince.IsZero() {
		asRead = hidden.AttributeNotExists()
	}
	return expression.Name("revision").Equal(expression.Value(base.Revision)).And(asRead, expression.Name("erased").AttributeNotExists())
}
