package content_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// paged are the kinds that pages have, in their order.
func paged() []surgical.ChildKind {
	return []surgical.ChildKind{surgical.KindDiscussion, surgical.KindStateEvent, surgical.KindLabelEvent}
}

// shownChild is a child as readers see it.
type shownChild struct{ Key, Text string }

// pageAfter reads one page with so much room, and reports whether more follows.
func pageAfter(r *content.Reader, after string, bytes, most int) (shown []shownChild, more bool, err error) {
	err = r.ReadRevision(ctx(), issue(1), func(v *content.Revision) error {
		shown, more = nil, false
		bytes, left := bytes, most
		page, err := v.Page(ctx(), paged(), after, func() (int, int) { return bytes, left })
		if err != nil {
			return err
		}
		for child, err := range page.Children(ctx()) {
			if err != nil {
				return err
			}
			if more = left == 0 || len(shown) > 0 && len(child.Raw) > bytes; more {
				return nil
			}
			shown, bytes, left = append(shown, shownChild{child.Key(), string(child.Raw)}), bytes-len(child.Raw), left-1
		}
		return nil
	})
	return shown, more, err
}

// pagesOf reads page by page to the end.
func (w *world) pagesOf(r *content.Reader, bytes, most int) (pages [][]shownChild) {
	w.Helper()
	for after, more := "", true; more; {
		var page []shownChild
		var err error
		page, more, err = pageAfter(r, after, bytes, most)
		w.must(err)
		if pages = append(pages, page); more {
			if len(page) == 0 {
				w.Fatalf("a page is empty, and more follows")
			}
			after = page[len(page)-1].Key
		}
	}
	return pages
}

// forgetOutlines makes the entity's manifest one of an earlier version.
func (w *world) forgetOutlines(ref surgical.EntityRef) {
	w.Helper()
	for _, item := range w.db.Items(w.Table()) {
		children, ok := item["children"].(*types.AttributeValueMemberM)
		if !ok || !sameString(item, key(ref, ""), "pk") || children.Value["outlines"] == nil {
			continue
		}
		delete(children.Value, "outlines")
		_, err := w.raw.PutItem(ctx(), &dynamodb.PutItemInput{TableName: new(w.Table()), Item: item})
		w.must(err)
	}
}

// outlines counts the head and the parts of the manifest that have outlines.
func (w *world) outlines(ref surgical.EntityRef) (n int) {
	for _, item := range w.db.Items(w.Table()) {
		children, ok := item["children"].(*types.AttributeValueMemberM)
		if ok && sameString(item, key(ref, ""), "pk") && item["expires_at"] == nil && children.Value["outlines"] != nil {
			n++
		}
	}
	return n
}

// oddIssue draws an issue with threads and events at odd times, internal notes and long
// texts.
func oddIssue(t *rapid.T) gitlab {
	times := []string{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.001Z", "2026-01-01T01:00:00+01:00", "2026-02-01T00:00:00.123456Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "yesterday", ""}
	g := newIssue().and("discussion#d1", "")
	for i := range rapid.SampledFrom([]int{0, 3, 20, 60}).Draw(t, "discussions") {
		var notes []any
		for range rapid.IntRange(0, 3).Draw(t, "notes") {
			body := "x"
			if rapid.IntRange(0, 150).Draw(t, "long") == 0 {
				body = noise(80_000)
			}
			notes = append(notes, map[string]any{
				"body": body + strings.Repeat("y", rapid.IntRange(0, 900).Draw(t, "length")), "created_at": rapid.SampledFrom(times).Draw(t, "at"), "internal": rapid.IntRange(0, 2).Draw(t, "internal") == 0,
			})
		}
		raw, err := json.Marshal(map[string]any{"id": fmt.Sprint("d", i), "notes": notes})
		if err != nil {
			t.Fatal(err)
		}
		g = g.and(fmt.Sprint("discussion#d", i), string(raw))
	}
	for _, kind := range paged()[1:] {
		for range rapid.IntRange(0, 6).Draw(t, "events") {
			id := rapid.IntRange(1, 200).Draw(t, "id")
			g = g.and(fmt.Sprintf("%s#%d", kind, id), fmt.Sprintf(`{"id":%d,"created_at":%q}`, id, rapid.SampledFrom(times).Draw(t, "at")))
		}
	}
	return g
}

// texts are the children of a whole entity in the order of pages.
func texts(whole content.Entity) (all []string) {
	for _, kind := range paged() {
		list := whole.Events[kind]
		if kind == surgical.KindDiscussion {
			list = whole.Discussions
		}
		for _, raw := range list {
			all = append(all, string(raw))
		}
	}
	return all
}

// What is read as a whole, without looking at outlines, is what pages must add up to: for
// every policy and every room, and with the same borders whether outlines are known or not.
func TestPage_PagesOfAnyRoomAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		g := oddIssue(t)
		w.commit(issue(1), g)
		for _, policy := range []surgical.Policy{surgical.Include, surgical.Exclude} {
			reader := w.ForReaders(nil, policy)
			bytes, most := rapid.SampledFrom([]int{4_000, 20_000, 4 << 20}).Draw(t, "bytes"), rapid.SampledFrom([]int{5, 12, 40, 1 << 30}).Draw(t, "most")
			if len(g.children) < 20 {
				bytes, most = bytes/10, (most+3)/4
			}
			apart := w.pagesOf(reader, bytes, most)
			whole, err := reader.Read(ctx(), issue(1))
			w.must(err)
			var got []string
			for _, child := range slices.Concat(apart...) {
				got = append(got, child.Text)
			}
			w.same("what the pages show", texts(whole), got)
			w.forgetOutlines(issue(1))
			if diff := cmp.Diff(w.pagesOf(reader, bytes, most), apart); diff != "" {
				t.Fatalf("%d bytes, %d children (-without outlines +with):\n%s", bytes, most, diff)
			}
			again, err := reader.Read(ctx(), issue(1))
			w.must(err)
			w.same("the whole without outlines", texts(whole), texts(again))
			g = oddIssue(t)
			w.commit(issue(1), g)
		}
	})
}

// thread is a discussion that began in this minute, with a text of so many bytes.
func thread(id string, minute int, bytes int, internal bool) string {
	return fmt.Sprintf(`{"id":%q,"notes":[{"created_at":"2026-01-01T%02d:%02d:00Z","internal":%t,"body":%q}]}`,
		id, minute/60, minute%60, internal, strings.Repeat("x", bytes))
}

// threads is an issue with so many discussions, of which those are internal that the
// function selects. Their order is not that of their ids.
func threads(count, bytes int, internal func(i int) bool) gitlab {
	g := newIssue().and("discussion#d1", "")
	children := maps.Clone(g.children)
	for i := range count {
		id := fmt.Sprintf("t%d", (i*7919)%count)
		children["discussion#"+id] = thread(id, i, bytes, internal(i))
	}
	g.children = children
	return g
}

func none(int) bool { return false }

// reads counts the queries and the items that were read by their keys.
func (w *world) reads() (queries, items int) {
	for _, call := range w.calls {
		switch in := call.(type) {
		case *dynamodb.QueryInput:
			queries++
		case *dynamodb.BatchGetItemInput:
			items += len(in.RequestItems[w.Table()].Keys)
		}
	}
	return queries, items
}

func TestPage_ReadsOnlyItsOwnChildren(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), threads(500, 5_000, none))
	const parts = 16
	after := ""
	for range 3 {
		w.calls = nil
		page, more, err := pageAfter(w.Reader, after, 4<<20, 20)
		w.must(err)
		// The child before the page, and the one behind it.
		if queries, items := w.reads(); queries > 0 || len(page) != 20 || !more || items > parts+20+2 {
			t.Errorf("after %q: %d children by %d queries and %d items", after, len(page), queries, items)
		}
		after = page[len(page)-1].Key
	}
	w.calls = nil
	if page, _, err := pageAfter(w.Reader, "", 50_000, 1<<30); err != nil || len(page) != 9 {
		t.Errorf("%d children of 5 KB fit into 50 KB, %v", len(page), err)
	}
	if queries, items := w.reads(); queries > 0 || items > parts+9+1 {
		t.Errorf("%d queries and %d items for 9 children", queries, items)
	}
	w.calls = nil
	w.must(w.ReadRevision(ctx(), issue(1), func(v *content.Revision) error {
		page, err := v.Page(ctx(), nil, "", plenty)
		if err == nil {
			_, err = page.Entity(ctx())
		}
		return err
	}))
	if queries, items := w.reads(); queries > 0 || items != parts+2 {
		t.Errorf("the entity alone: %d queries and %d items", queries, items)
	}
}

func TestPage_ReadsTogetherWhatFits(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), threads(200, 500, none))
	const parts = 8
	w.calls = nil
	if page, more, err := pageAfter(w.Reader, "", 4<<20, 1<<30); err != nil || more || len(page) != 200 {
		t.Errorf("%d children, more %t, %v", len(page), more, err)
	}
	if queries, items := w.reads(); queries != 1 || items != parts {
		t.Errorf("%d queries and %d items", queries, items)
	}
}

// Otherwise a page among a thousand internal notes would take a thousand requests.
func TestPage_FindsWhatIsShownAmongMuchThatIsNot(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), threads(1_000, 5_000, func(i int) bool { return i != 0 && i != 999 }))
	w.calls = nil
	page, more, err := pageAfter(w.ForReaders(nil, surgical.Exclude), "", 4<<20, 1)
	if err != nil || len(page) != 1 || !more {
		t.Fatalf("%d children, more %t, %v", len(page), more, err)
	}
	if n := callsOf[*dynamodb.BatchGetItemInput](w); n > 24 {
		t.Errorf("%d requests", n)
	}
	last, more, err := pageAfter(w.ForReaders(nil, surgical.Exclude), page[0].Key, 4<<20, 1)
	if err != nil || len(last) != 1 || more || last[0] == page[0] {
		t.Errorf("the second page: %v, more %t, %v", last, more, err)
	}
}

func TestPage_AfterAChildThatIsNotShownIsLikeAfterNone(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), threads(100, 5_000, func(i int) bool { return i == 50 }).and("discussion#hidden", thread("hidden", 70, 10, true)))
	exclude := w.ForReaders(nil, surgical.Exclude)
	for _, outlined := range []bool{true, false} {
		for after, exists := range map[string]bool{"discussion#hidden": false, "discussion#none": false, "entity#0": false, "hidden": false, "discussion#t1": true} {
			if _, _, err := pageAfter(exclude, after, 4<<20, 5); errors.Is(err, content.ErrNoSuchChild) == exists || exists && err != nil {
				t.Errorf("outlined %t: after %s: %v", outlined, after, err)
			}
		}
		if _, _, err := pageAfter(w.Reader, "discussion#hidden", 4<<20, 5); err != nil {
			t.Errorf("outlined %t: an internal note that is shown: %v", outlined, err)
		}
		w.forgetOutlines(issue(1))
	}
}

// Otherwise a discussion would be on another page, depending on how the page is read.
func TestPage_OrdersByTheFirstNoteWhetherItIsShownOrNot(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue().and("discussion#d1", thread("d1", 5, 1, false)).and("discussion#d2",
		`{"id":"d2","notes":[{"created_at":"2026-01-01T00:01:00Z","internal":true},{"created_at":"2026-01-01T00:09:00Z","internal":false}]}`))
	for _, policy := range []surgical.Policy{surgical.Include, surgical.Exclude} {
		pages := w.pagesOf(w.ForReaders(nil, policy), 4<<20, 1)
		if len(pages) != 2 || pages[0][0].Key != "discussion#d2" || pages[1][0].Key != "discussion#d1" {
			t.Errorf("%s: %v", policy, pages)
		}
	}
}

// A commit of an earlier version drops the outlines of the parts that it writes, and all of
// those in a head. The next commit of this version that writes them brings them back.
func TestPrepare_OutlinesWhatItWritesOfAnEarlierVersionsManifest(t *testing.T) {
	for _, count := range []int{10, 200} {
		w := newWorld(t)
		g := threads(count, 5_000, none)
		w.commit(issue(1), g)
		all := w.outlines(issue(1))
		pages := w.pagesOf(w.Reader, 4<<20, 60)
		w.forgetOutlines(issue(1))
		if n := w.outlines(issue(1)); all == 0 || n != 0 {
			t.Fatalf("%d of %d outlines are left", n, all)
		}
		w.commit(issue(1), g.and("discussion#t3", thread("t3", 3, 5_001, false)))
		if n := w.outlines(issue(1)); n != 1 {
			t.Errorf("%d discussions: one of them changed, and %d items have outlines", count, n)
		}
		if _, change := w.commit(issue(1), g); change.ChildrenWritten != 1 {
			t.Errorf("%d discussions: %d children are written again", count, change.ChildrenWritten)
		}
		if diff := cmp.Diff(pages, w.pagesOf(w.Reader, 4<<20, 60)); diff != "" {
			t.Errorf("%d discussions: pages (-before +after):\n%s", count, diff)
		}
		w.calls = nil
		if _, _, err := pageAfter(w.Reader, "", 4<<20, 2); err != nil {
			t.Error(err)
		}
		if queries, _ := w.reads(); (queries == 0) != (count == 10) {
			t.Errorf("%d discussions: %d queries", count, queries)
		}
	}
}

func TestReadRevision_StartsOverWhenItIsOvertaken(t *testing.T) {
	for _, apart := range []bool{true, false} {
		w := newWorld(t)
		w.commit(issue(1), threads(100, 5_000, none))
		if !apart {
			w.forgetOutlines(issue(1))
		}
		var seen []int64
		w.must(w.ReadRevision(ctx(), issue(1), func(v *content.Revision) error {
			if seen = append(seen, v.Revision); v.Revision == 1 {
				w.commit(issue(1), threads(100, 5_001, none))
				w.expire(issue(1))
			}
			page, err := v.Page(ctx(), paged(), "", plenty)
			if err != nil {
				return err
			}
			for child, err := range page.Children(ctx()) {
				if err != nil {
					return err
				}
				if len(child.Raw) < 5_001 {
					t.Errorf("a child of revision 1 on a page of revision %d", v.Revision)
				}
			}
			return nil
		}))
		w.same("revisions", []int64{1, 2}, seen)
	}
}
