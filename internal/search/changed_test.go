package search_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// followed is an engine that knows one issue, a source of a change of it, and the issue: each
// document has its hash as its text.
type followed struct {
	still
	search.Engine
	// changed are the documents that the source names; nil if it names none.
	changed []string
	known   map[surgical.EntityRef]search.Entry
	head    surgical.Head
	stored  map[string]string
	// read are the documents that were asked for, and applied what the index received.
	read    [][]string
	applied []search.Change
}

func followedIssue() surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
}

func (f *followed) After(context.Context, search.Position, int) (search.Changed, error) {
	c := search.Changed{Refs: []surgical.EntityRef{followedIssue()}}
	if f.changed != nil {
		c.Documents = map[surgical.EntityRef][]string{followedIssue(): f.changed}
	}
	return c, nil
}

func (f *followed) VisibleDocumentsWithTexts(_ context.Context, _ surgical.EntityRef, named []string, _ string, wanted func(content.Document) bool, take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error) {
	f.read = append(f.read, named)
	shown := content.ShownDocuments{Head: f.head}
	for id, hash := range f.stored {
		d := content.Document{Document: surgical.Document{ID: id, Text: hash, Hash: hash}, Revision: 1}
		if named != nil && !slices.Contains(named, id) {
			continue
		}
		if wanted(d) {
			take(d, content.Embeddings{}, nil)
		}
		shown.Documents = append(shown.Documents, d)
	}
	return shown, nil
}

func (*followed) Position(context.Context) (search.Position, string, error) {
	return search.Position{}, "", nil
}

func (f *followed) Known(context.Context, []surgical.EntityRef) (map[surgical.EntityRef]search.Entry, error) {
	return f.known, nil
}

func (f *followed) Apply(_ context.Context, _, _ search.Position, changes []search.Change) error {
	f.applied = changes
	return nil
}

func (*followed) Maintain(context.Context) (bool, error) { return false, nil }

// The index has a, b and c. Stored are a, a new b, and d, which the source does not name.
func TestIndexer_ReadsWhatChangedOfAnEntityThatItKnows(t *testing.T) {
	known := search.Entry{Documents: map[string]search.Indexed{"a": {Hash: "1"}, "b": {Hash: "2"}, "c": {Hash: "3"}}}
	unsettled := known
	unsettled.Unsettled = true
	of := func(e search.Entry) map[surgical.EntityRef]search.Entry {
		return map[surgical.EntityRef]search.Entry{followedIssue(): e}
	}
	for name, c := range map[string]struct {
		changed     []string
		known       map[surgical.EntityRef]search.Entry
		hides       int64
		read        [][]string
		put, remove []string
	}{
		"a document":                                         {[]string{"b"}, of(known), 0, [][]string{{"b"}}, []string{"b"}, nil},
		"a document that is no longer there":                 {[]string{"c"}, of(known), 0, [][]string{{"c"}}, nil, []string{"c"}},
		"the head":                                           {[]string{}, of(known), 0, [][]string{{}}, nil, nil},
		"a document, and the head may hide some":             {[]string{"b"}, of(known), 2, [][]string{{"b"}, nil}, []string{"b", "d"}, []string{"c"}},
		"nobody says what":                                   {nil, of(known), 0, [][]string{nil}, []string{"b", "d"}, []string{"c"}},
		"a document of an unknown entity":                    {[]string{"b"}, nil, 0, [][]string{nil}, []string{"a", "b", "d"}, nil},
		"a document of an entity that a writer left halfway": {[]string{"b"}, of(unsettled), 0, [][]string{nil}, []string{"b", "d"}, []string{"c"}},
	} {
		f := &followed{
			changed: c.changed, known: c.known, head: surgical.Head{Ref: followedIssue(), Revision: 3, DocumentsVisibleFrom: c.hides},
			stored: map[string]string{"a": "1", "b": "20", "d": "4"},
		}
		indexer := &search.Indexer{Engine: f, Source: f, Content: f, Log: slog.New(slog.DiscardHandler)}
		if err := indexer.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var put, removed []string
		for _, change := range f.applied {
			for _, d := range change.Put {
				put = append(put, d.ID)
			}
			removed = append(removed, change.Removed...)
		}
		slices.Sort(put)
		if diff := cmp.Diff([]any{c.read, c.put, c.remove}, []any{f.read, put, removed}); diff != "" {
			t.Errorf("of what changed is known: %s (-want +got):\n%s", name, diff)
		}
	}
}
