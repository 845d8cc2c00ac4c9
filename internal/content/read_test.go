package content_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestRead_OfAnUnknownEntityIsNotFound(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Read(ctx(), issue(1)); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
		t.Errorf("got %v", err)
	}
	if head, err := w.Head(ctx(), issue(1)); err != nil || head.Exists() || head.Ref != issue(1) {
		t.Errorf("its head: %+v, %v", head, err)
	}
}

func TestRead_ListsChildrenInOrderOfCreation(t *testing.T) {
	thread := func(id string, created ...string) string {
		var notes []map[string]any
		for _, at := range created {
			notes = append(notes, map[string]any{"created_at": at})
		}
		raw, _ := json.Marshal(map[string]any{"id": id, "notes": notes})
		return string(raw)
	}
	event := func(id int, created string) string { return fmt.Sprintf(`{"id":%d,"created_at":%q}`, id, created) }
	const early, late = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00+00:00"
	g := newIssue().and("discussion#d1", "").
		and("discussion#c", thread("c", early)).and("discussion#a", thread("a", late, early)).
		and("discussion#b", thread("b", early)).and("discussion#z", thread("z")).and("discussion#y", `{"id":"y","notes":"none"}`).
		and("resource_label_event#10", event(10, early)).and("resource_label_event#9", event(9, early)).
		and("resource_label_event#8", event(8, late)).and("resource_state_event#7", event(7, "yesterday"))
	w := newWorld(t)
	w.commit(issue(1), g)
	entity, err := w.Read(ctx(), issue(1))
	w.must(err)
	ids := func(list []json.RawMessage) (ids []string) {
		for _, raw := range list {
			var named struct{ ID any }
			w.must(json.Unmarshal(raw, &named))
			ids = append(ids, fmt.Sprint(named.ID))
		}
		return ids
	}
	w.same("discussions", []string{"y", "z", "b", "c", "a"}, ids(entity.Discussions))
	w.same("label events", []string{"9", "10", "8"}, ids(entity.Events[surgical.KindLabelEvent]))
	w.same("state events", []string{"7"}, ids(entity.Events[surgical.KindStateEvent]))
}

func TestRead_KeepsVolatileFieldsButTheNewestUpdatedAt(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue().with("user_notes_count", 1))
	w.commit(issue(1), newIssue().with("user_notes_count", 2))
	entity, err := w.Read(ctx(), issue(1))
	w.must(err)
	var got map[string]any
	w.must(json.Unmarshal(entity.Entity, &got))
	if want := w.now.Add(-time.Minute).Format("2006-01-02T15:04:05.000Z"); got["updated_at"] != want || got["user_notes_count"] != float64(1) {
		t.Errorf("updated_at %v, want %s; %v notes counted", got["updated_at"], want, got["user_notes_count"])
	}
}

// A reader may be slower than the expiry of what its head names.
func TestRead_BeginsAgainWhenItsRevisionExpires(t *testing.T) {
	large := func(text string) gitlab {
		g := newIssue().with("description", text)
		for i := range 60 {
			id := fmt.Sprintf("d%d", i)
			g = g.and("discussion#"+id, note(id, text))
		}
		return g
	}
	for name, expires := range map[string]string{"children": "child#", "parts": "part#"} {
		w := newWorld(t)
		ref := issue(1)
		w.commit(ref, large("a"))
		overtake := func() {
			w.commit(ref, large("b"))
			_, expiring := w.keys(ref, expires)
			if len(expiring) == 0 {
				t.Fatalf("no %s expire", name)
			}
			w.expire(ref)
		}
		if name == "children" {
			beforeFirst[*dynamodb.QueryInput](w, overtake)
		} else {
			beforeFirst[*dynamodb.BatchGetItemInput](w, overtake)
		}
		entity, err := w.Read(ctx(), ref)
		if err != nil || entity.Revision != 2 {
			t.Errorf("%s expired: revision %d, %v", name, entity.Revision, err)
		}
		w.shows(ref, w.snapshot(ref, large("b")))
	}
}

func TestRead_GivesUpWhenItIsOvertakenAgainAndAgain(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue())
	w.remove(issue(1), "child#discussion#d1#r1.1#000")
	w.calls = nil
	if entity, err := w.Read(ctx(), issue(1)); err == nil {
		t.Errorf("an entity without one of its children was read: %+v", entity)
	}
	if n := callsOf[*dynamodb.GetItemInput](w); n != 3 {
		t.Errorf("it began %d times, want 3", n)
	}
}

func TestRead_RefusesItemsThatDoNotFit(t *testing.T) {
	for name, spoil := range map[string]func(w *world){
		"a child whose segment is not zstd": func(w *world) {
			w.poke(issue(1), "child#discussion#d1#r1.1#000", map[string]any{"zstd": []byte("x"), "text": nil})
		},
		"an entity that is not JSON":          func(w *world) { w.poke(issue(1), "child#entity#0#r1.1#000", map[string]any{"text": "{"}) },
		"a head with a revision of no number": func(w *world) { w.poke(issue(1), "head", map[string]any{"revision": "x"}) },
		"a manifest of another shape": func(w *world) {
			w.poke(issue(1), "head", map[string]any{"children": map[string]any{"entries": map[string]any{"a": 1}}})
		},
		"a manifest that names no attempt": func(w *world) {
			w.poke(issue(1), "head", map[string]any{"children": map[string]any{"stages": []string{"x"}}})
		},
		"parts of another shape": func(w *world) { w.poke(issue(1), "head", map[string]any{"parts": map[string]any{"refs": []any{1}}}) },
		"parts that name no attempt": func(w *world) {
			w.poke(issue(1), "head", map[string]any{"parts": map[string]any{"stages": []string{"x"}}})
		},
	} {
		w := newWorld(t)
		w.commit(issue(1), newIssue())
		spoil(w)
		if _, err := w.Read(ctx(), issue(1)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func TestHeads_LeavesOutWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	want := map[surgical.EntityRef]surgical.Head{}
	var refs []surgical.EntityRef
	for iid := range int64(120) { // more than one batch
		refs = append(refs, issue(iid+1))
		if iid%3 != 0 {
			head, _ := w.commit(issue(iid+1), newIssue().with("title", fmt.Sprint("T", iid)))
			want[issue(iid+1)] = head
		}
	}
	got, err := w.Heads(ctx(), refs)
	w.must(err)
	w.same("heads", want, got)
}

func TestHead_CarriesTheAttributes(t *testing.T) {
	w := newWorld(t)
	g := newIssue().with("web_url", "https://gitlab.example.com/i/1").with("confidential", true).with("user_notes_count", 4).
		with("assignees", []any{map[string]any{"username": "jonas"}}).with("milestone", map[string]any{"title": "4.2"}).with("created_at", "2026-01-31T10:00:00Z").
		and("discussion#d2", `{"id":"d2","notes":[{"id":71,"updated_at":"2026-02-01T06:00:00.123Z","internal":true},{"id":70,"updated_at":"2026-02-01T05:00:00Z"}]}`)
	head, _ := w.commit(issue(1), g)
	want := surgical.Head{
		Ref: issue(1), Revision: 1, RunID: "r1",
		UpdatedAt: w.now.Add(-time.Minute), FetchedAt: w.now, FetchedUntil: w.now.Add(time.Second),
		ChangedRevision: 1, UserNotesCount: 4, UnseenComments: 1, Notes: surgical.Notes{MaxID: 71, MaxUpdatedAt: time.Date(2026, 2, 1, 6, 0, 0, 123e6, time.UTC)},
		Listed: true,
		Attributes: surgical.Attributes{
			Title: "T", State: "opened", WebURL: "https://gitlab.example.com/i/1", Confidential: true,
			Labels: []string{"bug"}, Author: &surgical.User{Username: "mira"},
			Assignees: []surgical.User{{Username: "jonas"}}, Milestone: "4.2", CreatedAt: "2026-01-31T10:00:00Z",
		},
	}
	w.same("the head", want, head)
	head, _ = w.commit(issue(1), newIssue().with("author", nil))
	if head.Attributes.Author != nil {
		t.Errorf("an author came from nowhere: %+v", head.Attributes.Author)
	}
}

func TestView_ReadsOnlyThePartsThatNameTheChildren(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	g := newIssue()
	for i := range 500 {
		id := fmt.Sprintf("d%d", i)
		g = g.and("discussion#"+id, note(id, "x"))
	}
	w.commit(ref, g)
	for name, c := range map[string]struct {
		children []string
		parts    int // at most
	}{"one": {[]string{"discussion#d7"}, 1}, "two": {[]string{"discussion#d7", "entity#0"}, 2}, "all": {nil, 16}} {
		w.calls = nil
		view, err := w.View(ctx(), ref, c.children)
		w.must(err)
		read := 0
		for _, call := range w.calls {
			if in, ok := call.(*dynamodb.BatchGetItemInput); ok {
				read += len(in.RequestItems[w.Table()].Keys)
			}
		}
		if read == 0 || read > c.parts {
			t.Errorf("%s: %d parts read, want at most %d", name, read, c.parts)
		}
		asked := append([]string{"discussion#none"}, c.children...)
		if c.children == nil {
			asked = append(asked, view.Discussions()...)
		}
		_, loaded, err := view.Batch(ctx(), nil, asked)
		w.must(err)
		for _, child := range asked {
			raw, exists, err := loaded.Child(ctx(), child)
			w.must(err)
			if exists != (child != "discussion#none") {
				t.Errorf("%s: %s exists: %t", name, child, exists)
			}
			if want := g.children[child]; want != "" && string(raw) != want {
				t.Errorf("%s: %s is %s", name, child, raw)
			}
		}
	}
	view, err := w.View(ctx(), ref, nil)
	w.must(err)
	if got := view.Discussions(); len(got) != 500 || got[0] != "discussion#d0" || got[2] != "discussion#d10" {
		t.Errorf("%d discussions: %v …", len(got), got[:3])
	}
	if none, err := w.View(ctx(), issue(2), nil); err != nil || none.Exists() || len(none.Discussions()) > 0 {
		t.Errorf("a view of nothing: %+v, %v", none.Head, err)
	}
}

func TestViewBatch_OfAnExpiredChildFails(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue())
	view, err := w.View(ctx(), issue(1), nil)
	w.must(err)
	w.commit(issue(1), newIssue().and("discussion#d1", note("d1", "b")))
	read := func() (json.RawMessage, error) {
		_, children, err := view.Batch(ctx(), nil, []string{"discussion#d1"})
		if err != nil {
			return nil, err
		}
		raw, _, err := children.Child(ctx(), "discussion#d1")
		return raw, err
	}
	if old, err := read(); err != nil || string(old) != note("d1", "a") {
		t.Errorf("before the expiry: %s, %v", old, err)
	}
	w.expire(issue(1))
	if got, err := read(); err == nil {
		t.Errorf("after the expiry: %s", got)
	}
}

func TestViewBatch_ReadsDocumentsEmbeddingsAndChildrenInOneRequest(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	head, _ := w.commit(ref, newIssue().and("discussion#d1", note("d1", "a")))
	w.write(head, document("entity", "x"), document("discussion#d1", "y"))
	w.embed(head, "entity", "c1")
	view, err := w.View(ctx(), ref, nil)
	w.must(err)
	w.calls = nil
	batch, children, err := view.Batch(ctx(), []string{"entity", "discussion#d1", "discussion#none"}, []string{"discussion#d1"})
	w.must(err)
	if len(w.calls) != 1 {
		t.Errorf("%d requests", len(w.calls))
	}
	documents, err := w.SomeDocuments(ctx(), ref, []string{"entity", "discussion#d1"})
	w.must(err)
	embeddings, err := w.Embeddings(ctx(), ref, []string{"entity", "discussion#d1"})
	w.must(err)
	if len(documents) != 2 || len(embeddings) != 1 {
		t.Fatalf("%d documents, %d are embedded", len(documents), len(embeddings))
	}
	unexported := cmp.AllowUnexported(content.Document{})
	if diff := cmp.Diff(content.Batch{Documents: documents, Embeddings: embeddings}, batch, unexported); diff != "" {
		t.Error(diff)
	}
	if raw, exists, err := children.Child(ctx(), "discussion#d1"); err != nil || !exists || string(raw) != note("d1", "a") {
		t.Errorf("the child: %s, %t, %v", raw, exists, err)
	}
	if raw, exists, err := children.Child(ctx(), "discussion#none"); err != nil || exists {
		t.Errorf("a child that does not exist: %s, %t, %v", raw, exists, err)
	}
	if len(w.calls) != 3 { // the two that read what to compare with
		t.Errorf("%d requests", len(w.calls))
	}
}

func TestTextToken_IsDifferentForEveryTry(t *testing.T) {
	seen := map[string]bool{}
	for claim := range int64(3) {
		for revision := range int64(12) {
			for try := range 3 {
				token := content.TextToken("r1", claim, revision, try)
				if seen[token] || !strings.HasPrefix(token, "r1.d") {
					t.Errorf("token %q", token)
				}
				seen[token] = true
			}
		}
	}
}

func TestVolatileFields_AreNoChangeOfContentAlone(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue())
	for _, field := range content.VolatileFields() {
		if _, change := w.commit(issue(1), newIssue().with(field, "2026-05-01T00:00:00Z")); change.Changed {
			t.Errorf("%s alone counts as a change", field)
		}
	}
	// In a child of another kind the same name is content.
	_, change := w.commit(issue(1), newIssue().and("discussion#d1", `{"id":"d1","notes":[{"body":"a"}],"user":"x"}`))
	if diff := cmp.Diff([]string{"discussion#d1"}, change.Scope.Children); diff != "" {
		t.Errorf("a discussion's field (-want +got):\n%s", diff)
	}
}
