package content

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// MaxListed is how many entities one page of a list can have, and how many heads are
// read for it: as many as one call returns.
const MaxListed = 100

// List selects entities of one type in a project.
type List struct {
	ProjectID int64
	Type      surgical.EntityType
	// State is one of [surgical.ListedStates]; "" selects all.
	State string
	// UpdatedFrom and UpdatedBefore bound GitLab's updated_at, the second exclusively;
	// zero for no bound.
	UpdatedFrom, UpdatedBefore time.Time
	// ByNumber orders by iid, which GitLab gives in the order of creation, instead of by
	// updated_at. It reads the keys of all entities that the other fields select.
	ByNumber bool
	// Ascending begins with the oldest.
	Ascending bool
	// Matches selects by what only the head says. A page then has what matches of
	// [MaxListed] entities, which may be none. nil selects all.
	Matches func(surgical.Head) bool
	// After is the Next of the page before; "" for the first page.
	After string
	// Limit is at most [MaxListed].
	Limit int
}

// ListPage is a page of a list.
type ListPage struct {
	Heads []surgical.Head
	// Next is the place after which the next page begins; "" for the last page.
	Next string
}

// row is an entry of the index: a hint of where an entity is in a list.
type row struct {
	ref    surgical.EntityRef
	listed string
}

// List returns a page of the entities that are shown. The index lags a little behind the
// heads, and an entity that changes between two pages may move from one to the other;
// what a page shows is always what the head says. A page by state and time takes one
// query, one read of the heads and one of the project; without a state, one query for
// each.
func (r *Reader) List(ctx context.Context, l List) (ListPage, error) {
	rows, more, err := r.store.rows(ctx, l)
	if err != nil {
		return ListPage{}, fmt.Errorf("list %ss of project %d: %w", l.Type, l.ProjectID, err)
	}
	refs := make([]surgical.EntityRef, len(rows))
	for i, row := range rows {
		refs[i] = row.ref
	}
	heads, err := r.VisibleHeads(ctx, refs)
	if err != nil {
		return ListPage{}, err
	}
	var page ListPage
	for i, row := range rows {
		page.Next = l.place(row)
		if head, shown := heads[row.ref]; shown && l.selects(head) {
			page.Heads = append(page.Heads, head)
		}
		if len(page.Heads) == l.Limit {
			more = more || i+1 < len(rows)
			break
		}
	}
	if !more {
		page.Next = ""
	}
	return page, nil
}

// selects repeats on the head what the index was queried for.
func (l List) selects(h surgical.Head) bool {
	switch {
	case l.State != "" && surgical.ListedState(l.Type, h.Attributes.State) != l.State,
		h.UpdatedAt.Before(l.UpdatedFrom),
		!l.UpdatedBefore.IsZero() && !h.UpdatedAt.Before(l.UpdatedBefore):
		return false
	}
	return l.Matches == nil || l.Matches(h)
}

// reads is how many rows one page looks at.
func (l List) reads() int {
	if l.Matches != nil {
		return MaxListed
	}
	return min(l.Limit, MaxListed)
}

// place is where the row is in the list's order.
func (l List) place(r row) string {
	if l.ByNumber {
		return numbered(r.ref.IID)
	}
	return r.listed
}

// rows returns the rows that the next page looks at, each entity once, and whether there
// are more after them.
func (s *Store) rows(ctx context.Context, l List) ([]row, bool, error) {
	states := []string{l.State}
	if l.State == "" {
		states = surgical.ListedStates(l.Type)
	}
	lists := make([][]row, len(states))
	group, reading := parallel.WithContext(ctx)
	for i, state := range states {
		group.Go(func() (err error) {
			lists[i], err = s.rowsOf(reading, l, state)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, false, err
	}
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b row) int {
		order := cmp.Compare(l.place(a), l.place(b))
		if !l.Ascending {
			order = -order
		}
		return order
	})
	if l.ByNumber && l.After != "" {
		all = slices.DeleteFunc(all, func(r row) bool {
			return l.Ascending && l.place(r) <= l.After || !l.Ascending && l.place(r) >= l.After
		})
	}
	// An entity that changes its state may be in two lists for a moment.
	seen := map[surgical.EntityRef]bool{}
	all = slices.DeleteFunc(all, func(r row) bool {
		again := seen[r.ref]
		seen[r.ref] = true
		return again
	})
	if len(all) > l.reads() {
		return all[:l.reads()], true, nil
	}
	return all, false, nil
}

// rowsOf reads rows of one state: one more than a page looks at, or all by number.
func (s *Store) rowsOf(ctx context.Context, l List, state string) ([]row, error) {
	query, some, err := s.rowsQuery(l, state)
	if err != nil || !some {
		return nil, err
	}
	most := math.MaxInt
	if !l.ByNumber {
		most = l.reads() + 1
		query.Limit = aws.Int32(int32(most))
	}
	var rows []row
	for item, err := range dynamo.QueryAll(ctx, s.db, query) {
		if err == nil {
			rows, err = appendRow(rows, l, item)
		}
		if err != nil || len(rows) == most {
			return rows, err
		}
	}
	return rows, nil
}

// rowsQuery returns the query of the rows of one state; false if there can be none. A
// query takes one bound or two that are inclusive, and no place has the iid 0.
func (s *Store) rowsQuery(l List, state string) (*dynamodb.QueryInput, bool, error) {
	first, last := place{}, place{at: maxMicros, iid: maxIID}
	if !l.UpdatedFrom.IsZero() {
		first.at = l.UpdatedFrom.UnixMicro()
	}
	if !l.UpdatedBefore.IsZero() {
		last = place{at: l.UpdatedBefore.UnixMicro()}
	}
	if l.After != "" && !l.ByNumber {
		after, err := parsePlace(l.After)
		if err != nil {
			return nil, false, err
		}
		if l.Ascending {
			first = later(first, place{after.at, after.iid + 1})
		} else {
			last = earlier(last, place{after.at, after.iid - 1})
		}
	}
	if last.String() < first.String() {
		return nil, false, nil
	}
	expr, err := expression.NewBuilder().WithKeyCondition(expression.KeyAnd(
		expression.Key("list").Equal(expression.Value(listName(l.ProjectID, l.Type, state))),
		expression.Key("listed").Between(expression.Value(first.String()), expression.Value(last.String())))).Build()
	if err != nil {
		return nil, false, err
	}
	return &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(tables.ContentByUpdate), ScanIndexForward: aws.Bool(l.Ascending),
		KeyConditionExpression: expr.KeyCondition(), ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}, true, nil
}

func appendRow(rows []row, l List, item dynamo.Item) ([]row, error) {
	var found struct {
		Listed string `dynamodbav:"listed"`
	}
	if err := attributevalue.UnmarshalMap(item, &found); err != nil {
		return nil, fmt.Errorf("decode a row: %w", err)
	}
	at, err := parsePlace(found.Listed)
	if err != nil {
		return nil, err
	}
	return append(rows, row{surgical.EntityRef{ProjectID: l.ProjectID, Target: surgical.Target{Type: l.Type, IID: at.iid}}, found.Listed}), nil
}

// listOf names the list that the entity is in.
func listOf(ref surgical.EntityRef, state string) string {
	return listName(ref.ProjectID, ref.Type, surgical.ListedState(ref.Type, state))
}

func listName(projectID int64, t surgical.EntityType, state string) string {
	return fmt.Sprintf("%d#%s#%s", projectID, t, state)
}

// place is where an entity is in a list: its updated_at in microseconds, and its iid.
// Places are in the order of their texts.
type place struct{ at, iid int64 }

// What a place can hold.
const maxMicros, maxIID = 9_999_999_999_999_999, 9_999_999_999_999_999

func (p place) String() string {
	return fmt.Sprintf("%016d#%s", min(max(0, p.at), maxMicros), numbered(p.iid))
}

func numbered(iid int64) string { return fmt.Sprintf("%016d", iid) }

func later(a, b place) place {
	if a.String() < b.String() {
		return b
	}
	return a
}

func earlier(a, b place) place {
	if a.String() < b.String() {
		return a
	}
	return b
}

// parsePlace is the inverse of String.
func parsePlace(text string) (p place, err error) {
	at, iid, _ := strings.Cut(text, "#")
	if p.at, err = strconv.ParseInt(at, 10, 64); err == nil {
		p.iid, err = strconv.ParseInt(iid, 10, 64)
	}
	if err != nil || p.iid < 1 || p.String() != text {
		return place{}, fmt.Errorf("%q is not a place in a list", text)
	}
	return p, nil
}

// IsPlace reports whether the text can be the After of the list.
func (l List) IsPlace(after string) bool {
	if l.ByNumber {
		iid, err := strconv.ParseInt(after, 10, 64)
		return err == nil && iid > 0 && numbered(iid) == after
	}
	_, err := parsePlace(after)
	return err == nil
}
