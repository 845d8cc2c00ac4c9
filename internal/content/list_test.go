package content_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// all reads every page of the list.
func (w *world) all(l content.List) (refs []surgical.EntityRef) {
	w.Helper()
	for {
		page, err := w.List(ctx(), l)
		w.must(err)
		if len(page.Heads) > l.Limit {
			w.Errorf("a page of %d, limit %d", len(page.Heads), l.Limit)
		}
		for _, head := range page.Heads {
			refs = append(refs, head.Ref)
		}
		if page.Next == "" {
			return refs
		}
		if !l.IsPlace(page.Next) || page.Next == l.After {
			w.Fatalf("the next page begins after %q", page.Next)
		}
		l.After = page.Next
	}
}

// listed commits an entity with the state, which was updated at the time.
func (w *world) listed(ref surgical.EntityRef, state string, updatedAt time.Time) {
	w.Helper()
	snap := w.dated(w.snapshot(ref, newIssue().with("state", state)), updatedAt)
	w.runs++
	change, _, err := w.Prepare(ctx(), snap, attempt(fmt.Sprintf("r%d", w.runs), 1), nil)
	w.must(err)
	w.must(w.StageChildren(ctx(), []*content.Change{change}))
	w.must(w.put(change))
}

func TestList_HasWhatItSelectsOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		type entity struct {
			iid   int64
			state string
			at    time.Time
		}
		minute := func(n int) time.Time { return w.now.Add(time.Duration(n-60) * time.Minute) }
		var have []entity
		for iid := range int64(rapid.IntRange(0, 12).Draw(t, "entities")) {
			e := entity{iid + 1, rapid.SampledFrom([]string{"opened", "closed", "odd"}).Draw(t, "state"), minute(rapid.IntRange(0, 4).Draw(t, "updated"))}
			have = append(have, e)
			w.listed(issue(e.iid), e.state, e.at)
		}
		l := content.List{
			ProjectID: 1, Type: surgical.Issue, State: rapid.SampledFrom([]string{"", "opened", "closed", "other"}).Draw(t, "selected"),
			ByNumber: rapid.Bool().Draw(t, "by number"), Ascending: rapid.Bool().Draw(t, "ascending"), Limit: rapid.IntRange(1, 5).Draw(t, "limit"),
		}
		if rapid.Bool().Draw(t, "bounded") {
			l.UpdatedFrom, l.UpdatedBefore = minute(rapid.IntRange(0, 4).Draw(t, "from")), minute(rapid.IntRange(0, 5).Draw(t, "before"))
		}
		odd := rapid.Bool().Draw(t, "only odd numbers")
		if odd {
			l.Matches = func(h surgical.Head) bool { return h.Ref.IID%2 == 1 }
		}
		want := slices.DeleteFunc(slices.Clone(have), func(e entity) bool {
			return l.State != "" && surgical.ListedState(surgical.Issue, e.state) != l.State || odd && e.iid%2 == 0 ||
				!l.UpdatedFrom.IsZero() && (e.at.Before(l.UpdatedFrom) || !e.at.Before(l.UpdatedBefore))
		})
		slices.SortFunc(want, func(a, b entity) int {
			order := a.at.Compare(b.at)
			if order == 0 || l.ByNumber {
				order = int(a.iid - b.iid)
			}
			if !l.Ascending {
				order = -order
			}
			return order
		})
		var refs []surgical.EntityRef
		for _, e := range want {
			refs = append(refs, issue(e.iid))
		}
		w.same("the list", refs, w.all(l))
	})
}

func TestList_ReadsEveryRowAgain(t *testing.T) {
	w := newWorld(t)
	for iid := range int64(6) {
		w.listed(issue(iid+1), "opened", w.now.Add(-time.Hour))
	}
	// What the index does not know yet.
	w.poke(issue(1), "head", map[string]any{"attributes": map[string]any{"state": "closed", "title": "T"}})
	w.poke(issue(2), "head", map[string]any{"updated_at": w.now.Add(-10 * time.Hour).UnixMicro()})
	w.poke(issue(3), "head", map[string]any{"gone": true})
	w.poke(issue(4), "head", map[string]any{"attributes": map[string]any{"state": "opened", "title": "T", "confidential": true}})
	w.poke(issue(5), "head", map[string]any{"hidden_since": int64(1)})
	l := content.List{ProjectID: 1, Type: surgical.Issue, State: "opened", UpdatedFrom: w.now.Add(-2 * time.Hour), Limit: 2}
	w.same("included", []surgical.EntityRef{issue(6), issue(4)}, w.all(l))
	w.Reader = w.ForReaders(nil, surgical.Exclude)
	w.same("excluded", []surgical.EntityRef{issue(6)}, w.all(l))
	w.Reader = w.ForReaders(func(context.Context, int64) (time.Time, error) { return w.now.Add(time.Hour), nil }, surgical.Include)
	w.same("in a hidden project", []surgical.EntityRef(nil), w.all(l))
}

func TestList_TakesThreeCallsAPageAt100000Entities(t *testing.T) {
	w := newWorld(t)
	entities := int64(100_000)
	if testing.Short() { // the simulated DynamoDB sorts all of them for each query
		entities = 10_000
	}
	ago := func(iid int64) time.Time { return w.now.Add(-time.Duration(iid) * time.Minute) }
	w.listed(issue(1), "opened", w.now)
	first, err := w.raw.GetItem(ctx(), &dynamodb.GetItemInput{TableName: new(w.Table()), Key: key(issue(1), "head")})
	w.must(err)
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	var batch []types.WriteRequest
	for iid := int64(1); iid <= entities; iid++ {
		state, at := "opened", ago(iid).UnixMicro()
		if iid%4 == 0 {
			state = "closed"
		}
		head := maps.Clone(first.Item)
		maps.Copy(head, key(issue(iid), "head"))
		head["entity"], head["updated_at"] = text(issue(iid).Target.String()), &types.AttributeValueMemberN{Value: fmt.Sprint(at)}
		head["list"], head["listed"] = text("1#issue#"+state), text(fmt.Sprintf("%016d#%016d", at, iid))
		head["attributes"] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"state": text(state), "title": text("T")}}
		if batch = append(batch, types.WriteRequest{PutRequest: &types.PutRequest{Item: head}}); len(batch) == 25 || iid == entities {
			_, err := w.raw.BatchWriteItem(ctx(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{w.Table(): batch}})
			w.must(err)
			batch = nil
		}
	}
	projects := 0
	w.Reader = w.ForReaders(func(context.Context, int64) (time.Time, error) { projects++; return time.Time{}, nil }, surgical.Exclude)
	calls := func(l content.List) (int, content.ListPage) {
		w.calls, projects = nil, 0
		page, err := w.List(ctx(), l)
		w.must(err)
		if len(page.Heads) == 0 || page.Next == "" {
			t.Errorf("%+v: %d heads, next %q", l, len(page.Heads), page.Next)
		}
		return len(w.calls) + projects, page
	}
	middle := content.List{ProjectID: 1, Type: surgical.Issue, State: "opened", Limit: 100, UpdatedBefore: ago(entities / 2), UpdatedFrom: ago(entities * 9 / 10)}
	n, page := calls(middle)
	if n > 3 || len(page.Heads) != 100 || page.Heads[0].Ref != issue(entities/2+1) {
		t.Errorf("a page by state and time: %d calls, %d heads, the first is %s", n, len(page.Heads), page.Heads[0].Ref)
	}
	middle.After = page.Next
	if n, _ := calls(middle); n > 3 {
		t.Errorf("the next page: %d calls", n)
	}
	middle.After, middle.Matches = "", func(h surgical.Head) bool { return h.Ref.IID%10 == 1 }
	if n, page := calls(middle); n > 3 || len(page.Heads) >= 100 {
		t.Errorf("with another filter: %d calls, %d heads", n, len(page.Heads))
	}
	if n, _ := calls(content.List{ProjectID: 1, Type: surgical.Issue, Limit: 100}); n > 2+len(surgical.ListedStates(surgical.Issue)) {
		t.Errorf("of every state: %d calls", n)
	}
}

func TestList_HeadsOfEarlierVersionsEnterWithTheirNextCommit(t *testing.T) {
	w := newWorld(t)
	w.listed(issue(1), "opened", w.now)
	w.poke(issue(1), "head", map[string]any{"list": nil, "listed": nil})
	l := content.List{ProjectID: 1, Type: surgical.Issue, Limit: 10}
	head, err := w.Head(ctx(), issue(1))
	if w.must(err); head.Listed || len(w.all(l)) != 0 {
		t.Errorf("listed %t, in the list: %v", head.Listed, w.all(l))
	}
	w.now = w.now.Add(time.Hour)
	w.listed(issue(1), "opened", w.now)
	if head, err = w.Head(ctx(), issue(1)); err != nil || !head.Listed || len(w.all(l)) != 1 {
		t.Errorf("after a commit: %v, listed %t, in the list: %v", err, head.Listed, w.all(l))
	}
}
