package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// snapshot returns a fetch made now, of an issue with one discussion.
func (s *stores) snapshot(ref surgical.EntityRef, note string) surgical.Snapshot {
	updated := s.now.Add(-time.Minute)
	return surgical.Snapshot{
		Ref: ref, UpdatedAt: updated, FetchedAt: s.now, FetchedUntil: s.now.Add(time.Second),
		Entity: json.RawMessage(fmt.Sprintf(`{"iid":%d,"project_id":1,"title":"T","state":"opened","updated_at":%q}`, ref.IID, updated.Format(time.RFC3339))),
		Children: []surgical.Child{{
			Kind: surgical.KindDiscussion, ID: "d1", Raw: json.RawMessage(fmt.Sprintf(`{"id":"d1","notes":[{"body":%q}]}`, note)),
		}},
	}
}

// visible commits a snapshot without a run.
func (s *stores) visible(ref surgical.EntityRef, runID, note string) surgical.Head {
	s.t.Helper()
	change, _, err := s.content.Prepare(s.t.Context(), s.snapshot(ref, note), surgical.AttemptID{RunID: runID, Number: 1}, nil)
	s.must(err)
	s.must(s.content.StageChildren(s.t.Context(), []*content.Change{change}))
	s.transactAll(change.Put(s.Tables.Content))
	head, err := s.content.Head(s.t.Context(), ref)
	s.must(err)
	return head
}

func entityKey(ref surgical.EntityRef, sk string) dynamo.Item { return key("P#"+ref.Key(), sk) }

func (e Engine) contentConditions(t *testing.T) {
	s := e.stores(t)
	s.guards()
	s.documents()
	s.embeddings()
	s.hidden()
	s.expiries()
}

// guards: a head is replaced only at the revision that was read, by a fetch
// that started no earlier than the visible one ended, and by an older
// updated_at only after the confirmation time.
func (s *stores) guards() {
	ref := issue(1001)
	first, _, err := s.content.Prepare(s.t.Context(), s.snapshot(ref, "a"), surgical.AttemptID{RunID: "r1", Number: 1}, nil)
	s.must(err)
	s.visible(ref, "r2", "a")
	if err := s.refusedAs(first.Put(s.Tables.Content)); !errors.Is(err, surgical.ErrMoved) {
		s.t.Errorf("a first head replaced another: %v", err)
	}
	s.now = s.now.Add(time.Minute)
	snap := s.snapshot(ref, "b")
	updated, fetched, confirmation := snap.UpdatedAt.UnixMicro(), snap.FetchedAt.UnixMicro(), surgical.Confirmation.Microseconds()
	for i, c := range []struct {
		name  string
		pokes []poke
		moved bool
	}{
		{"nothing moved", nil, false},
		{"an equal updated_at", []poke{{"updated_at", updated}}, false},
		{"a newer updated_at", []poke{{"updated_at", updated + 1}}, true},
		{"a newer updated_at, confirmed", []poke{{"updated_at", updated + 1}, {"fetched_until", fetched - confirmation}}, false},
		{"a newer updated_at, not yet confirmed", []poke{{"updated_at", updated + 1}, {"fetched_until", fetched - confirmation + 1}}, true},
		{"a fetch that ended when this one started", []poke{{"fetched_until", fetched}}, false},
		{"a fetch that ended later", []poke{{"fetched_until", fetched + 1}}, true},
		{"a newer revision", []poke{{"revision", 3}}, true},
	} {
		ref := issue(1010 + int64(i))
		s.now = s.now.Add(-time.Minute)
		s.visible(ref, "r1", "a")
		s.now = s.now.Add(time.Minute)
		change, _, err := s.content.Prepare(s.t.Context(), s.snapshot(ref, "b"), surgical.AttemptID{RunID: "r2", Number: 1}, nil)
		s.must(err)
		s.poke(s.Tables.Content, entityKey(ref, "head"), c.pokes...)
		if err := s.refusedAs(change.Put(s.Tables.Content)); errors.Is(err, surgical.ErrMoved) != c.moved {
			s.t.Errorf("a head under %s: %v", c.name, err)
		}
	}
}

func document(id, text string) surgical.Document {
	return surgical.Document{ID: id, Title: "T", Text: text, Hash: "hash of " + text}
}

// documents are written on condition of the revision that they were rendered
// from.
func (s *stores) documents() {
	ctx := s.t.Context()
	for i, c := range []struct {
		name  string
		poke  []poke
		moved bool
	}{{"the same head", nil, false}, {"a newer head", []poke{{"revision", 2}}, true}} {
		ref := issue(1020 + int64(i))
		head := s.visible(ref, "r1", "a")
		s.must(s.content.WriteDocuments(ctx, head, "r1.d1", []surgical.Document{document("gone", "x")}, nil))
		replaced, err := s.content.SomeDocuments(ctx, ref, []string{"gone"})
		s.must(err)
		s.poke(s.Tables.Content, entityKey(ref, "head"), c.poke...)
		err = s.content.WriteDocuments(ctx, head, "r1.d2", []surgical.Document{document("entity", "new")}, replaced)
		if errors.Is(err, surgical.ErrMoved) != c.moved || !c.moved && err != nil {
			s.t.Errorf("documents under %s: %v", c.name, err)
		}
		stored, err := s.content.SomeDocuments(ctx, ref, []string{"entity", "gone"})
		s.must(err)
		_, written := stored["entity"]
		_, kept := stored["gone"]
		if written == c.moved || kept != c.moved {
			s.t.Errorf("documents under %s: written %v, the replaced one kept %v", c.name, written, kept)
		}
	}
}

// embeddings are written and removed on condition of the document that was
// read.
func (s *stores) embeddings() {
	ctx := s.t.Context()
	vector := map[string][]float32{"c1": {1, 2}}
	for i, c := range []struct {
		name  string
		pokes []poke
		moved bool
	}{
		{"the same document", nil, false},
		{"another text", []poke{{"hash", "another"}}, true},
		{"another revision", []poke{{"revision", 9}}, true},
	} {
		ref := issue(1030 + int64(i))
		head := s.visible(ref, "r1", "a")
		s.must(s.content.WriteDocuments(ctx, head, "r1.d1", []surgical.Document{document("entity", "x")}, nil))
		read, err := s.content.Document(ctx, ref, "entity")
		s.must(err)
		s.poke(s.Tables.Content, entityKey(ref, "doc#entity"), c.pokes...)
		err = s.content.PutVectors(ctx, ref, read, "m", vector, true)
		if errors.Is(err, surgical.ErrMoved) != c.moved || !c.moved && err != nil {
			s.t.Errorf("vectors under %s: %v", c.name, err)
		}
		err = s.content.WriteEmbeddings(ctx, ref, content.EmbeddingsWrite{Document: read, Model: "m", Chunks: []string{"c1"}, Fresh: vector})
		if errors.Is(err, surgical.ErrMoved) != c.moved || !c.moved && err != nil {
			s.t.Errorf("embeddings under %s: %v", c.name, err)
		}
		if err := s.content.PutVectors(ctx, ref, read, "m", vector, false); !errors.Is(err, surgical.ErrMoved) {
			s.t.Errorf("vectors under %s, with embeddings that the caller did not see: %v", c.name, err)
		}
		if err := s.content.RemoveEmbeddings(ctx, ref, "entity"); !errors.Is(err, surgical.ErrMoved) {
			s.t.Errorf("embeddings of an existing document were removed: %v", err)
		}
	}
	if err := s.content.RemoveEmbeddings(ctx, issue(1030), "none"); err != nil {
		s.t.Errorf("embeddings of no document: %v", err)
	}
}

// hidden bytes are removed only while they are older than the revision that
// hides them.
func (s *stores) hidden() {
	ctx := s.t.Context()
	for i, c := range []struct {
		name string
		poke []poke
		gone bool
	}{
		{"nothing", nil, true},
		{"a revision below", []poke{{"revision", 4}}, true},
		{"the revision that hides", []poke{{"revision", 5}}, false},
		{"a newer revision", []poke{{"revision", 6}}, false},
	} {
		ref := issue(1040 + int64(i))
		head := s.visible(ref, "r1", "a")
		s.must(s.content.WriteDocuments(ctx, head, "r1.d1", []surgical.Document{document("entity", "x")}, nil))
		head.DocumentsVisibleFrom = 5
		s.beforeWrite = func() { s.poke(s.Tables.Content, entityKey(ref, "doc#entity"), c.poke...) }
		_, err := s.content.RemoveHidden(ctx, head, func() bool { return true })
		s.must(err)
		if gone := s.get(s.t, entityKey(ref, "doc#entity")) == nil; gone != c.gone {
			s.t.Errorf("hidden bytes, after %s: removed %v", c.name, gone)
		}
	}
}

// expiries are set once, and never recreate an item.
func (s *stores) expiries() {
	ctx := s.t.Context()
	ref := issue(1050)
	s.visible(ref, "r1", "a")
	s.now = s.now.Add(time.Minute)
	change, _, err := s.content.Prepare(ctx, s.snapshot(ref, "b"), surgical.AttemptID{RunID: "r2", Number: 1}, nil)
	s.must(err)
	old := entityKey(ref, "child#discussion#d1#r1.1#000")
	if s.get(s.t, old) == nil {
		s.t.Fatal("the child is missing")
	}
	for range 2 {
		want := plain(s.t, s.get(s.t, old))["expires_at"]
		s.must(s.content.ExpireSuperseded(ctx, []*content.Change{change}))
		got := plain(s.t, s.get(s.t, old))["expires_at"]
		if got == nil || want != nil && got != want {
			s.t.Errorf("expiry %v, before %v", got, want)
		}
		s.now = s.now.Add(time.Minute)
	}
	ref = issue(1051)
	s.visible(ref, "r1", strings.Repeat("a", 10))
	s.now = s.now.Add(time.Minute)
	change, _, err = s.content.Prepare(ctx, s.snapshot(ref, "b"), surgical.AttemptID{RunID: "r2", Number: 1}, nil)
	s.must(err)
	gone := entityKey(ref, "child#discussion#d1#r1.1#000")
	s.remove(gone)
	s.must(s.content.ExpireSuperseded(ctx, []*content.Change{change}))
	if item := s.get(s.t, gone); item != nil {
		s.t.Errorf("an expiry recreated %v", item)
	}
}
