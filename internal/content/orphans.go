package content

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// ExpireOrphans sets an expiry on staged items that nothing names, and returns
// how many. ended reports whether an attempt can no longer commit; for number 0,
// whether the docs jobs of the run can no longer write. It is called once per
// attempt found.
//
// The order makes this safe: the items are listed first, then ended reads their
// runs, and only then the head is read. A head that is read earlier would miss
// children that are committed in the meantime.
func (s *Store) ExpireOrphans(ctx context.Context, ref surgical.EntityRef, ended func(context.Context, surgical.AttemptID) (bool, error)) (int, error) {
	candidates, err := s.staged(ctx, ref)
	if err != nil {
		return 0, err
	}
	verdicts := map[surgical.AttemptID]bool{}
	for _, item := range candidates {
		if _, known := verdicts[item.attempt]; known {
			continue
		}
		if verdicts[item.attempt], err = ended(ctx, item.attempt); err != nil {
			return 0, err
		}
	}
	candidates = slices.DeleteFunc(candidates, func(item stagedItem) bool { return !verdicts[item.attempt] })
	if len(candidates) == 0 {
		return 0, nil
	}
	named, err := s.named(ctx, ref)
	if err != nil {
		return 0, err
	}
	expired := 0
	for _, item := range candidates {
		if named[item.sk] {
			continue
		}
		if err := s.expire(ctx, ref, item.sk); err != nil {
			return expired, err
		}
		expired++
	}
	return expired, nil
}

// stagedItem is an item that readers ignore unless something names it.
type stagedItem struct {
	sk      string
	attempt surgical.AttemptID
}

// staged lists the children, manifest parts and texts of documents of the entity
// that do not expire yet.
func (s *Store) staged(ctx context.Context, ref surgical.EntityRef) ([]stagedItem, error) {
	var list []stagedItem
	for _, prefix := range []string{childPrefix, piecePrefix, partPrefix, docPiecePrefix, docTextPrefix} {
		in, err := s.collection(ref, prefix, expression.Name("sk"), expression.Name(tables.ExpiresAt))
		if err != nil {
			return nil, err
		}
		for item, err := range dynamo.QueryAll(ctx, s.db, in) {
			if err != nil {
				return nil, fmt.Errorf("list staged items of %s: %w", ref, err)
			}
			var row struct {
				SK        string `dynamodbav:"sk"`
				ExpiresAt int64  `dynamodbav:"expires_at"`
			}
			if err := attributevalue.UnmarshalMap(item, &row); err != nil {
				return nil, fmt.Errorf("decode a staged item of %s: %w", ref, err)
			}
			if row.ExpiresAt != 0 {
				continue
			}
			attempt, err := attemptOfKey(row.SK)
			if err != nil {
				return nil, fmt.Errorf("list staged items of %s: %w", ref, err)
			}
			list = append(list, stagedItem{row.SK, attempt})
		}
	}
	return list, nil
}

// named returns the sort keys of what the head and the documents name, directly or
// through a manifest or a list of pieces. If one of those is missing, it fails:
// what that names must not expire.
func (s *Store) named(ctx context.Context, ref surgical.EntityRef) (map[string]bool, error) {
	head, err := s.headItem(ctx, ref)
	if err != nil {
		return nil, err
	}
	m, err := s.manifest(ctx, ref, head, everyPart)
	if err != nil {
		return nil, err
	}
	lists, err := s.pieceLists(ctx, ref, m.all())
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, sk := range m.keys(lists) {
		named[sk] = true
	}
	documents, err := s.Documents(ctx, ref)
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		for _, sk := range d.textKeys() {
			named[sk] = true
		}
	}
	return named, nil
}

// Orphans lists the sort keys of staged items that nothing names and that do not
// expire yet: what [Store.ExpireOrphans] would expire if every run had ended.
func (s *Store) Orphans(ctx context.Context, ref surgical.EntityRef) ([]string, error) {
	staged, err := s.staged(ctx, ref)
	if err != nil {
		return nil, err
	}
	named, err := s.named(ctx, ref)
	if err != nil {
		return nil, err
	}
	var orphans []string
	for _, item := range staged {
		if !named[item.sk] {
			orphans = append(orphans, item.sk)
		}
	}
	return orphans, nil
}
