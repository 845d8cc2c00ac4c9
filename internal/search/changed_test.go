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
	// changed are the documents that the source names.
	changed content.DocumentSet
	known   map[surgical.EntityRef]search.Entry
	head    surgical.Head
	stored  map[string]string
	// read are the documents that were asked for, and applied what the index received.
	read    []content.DocumentSet
	applied []search.Change
}

func followedIssue() surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
}

func (f *followed) After(context.Context, search.Position, int) (search.Changed, error) {
	return search.Changed{Refs: []surgical.EntityRef{followedIssue()}, Documents: map[surgical.EntityRef]content.DocumentSet{followedIssue(): f.changed}}, nil
}

func (f *followed) VisibleDocumentsWithTexts(_ context.Context, _ surgical.EntityRef, of content.DocumentSet, _ string, wanted func(content.Document) bool, take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error) {
	f.read = append(f.read, of)
	shown := content.ShownDocuments{Head: f.head}
	for id, hash := range f.stored {
		d := content.Document{Document: surgical.Document{ID: id, Text: hash, Hash: hash}, Revision: 1}
		if !of.Has(id) {
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
	var all content.DocumentSet
	only := content.OnlyDocuments
	for name, c := range map[string]struct {
		changed     content.DocumentSet
		known       map[surgical.EntityRef]search.Entry
		hides       int64
		read        []content.DocumentSet
		put, remove []string
	}{
		"a document":                                         {only("b"), of(known), 0, []content.DocumentSet{only("b")}, []string{"b"}, nil},
		"a document that is no longer there":                 {only("c"), of(known), 0, []content.DocumentSet{only("c")}, nil, []string{"c"}},
		"the head":                                           {only(), of(known), 0, []content.DocumentSet{only()}, nil, nil},
		"a document, and the head may hide some":             {only("b"), of(known), 2, []content.DocumentSet{only("b"), all}, []string{"b", "d"}, []string{"c"}},
		"nobody says what":                                   {all, of(known), 0, []content.DocumentSet{all}, []string{"b", "d"}, []string{"c"}},
		"a document of an unknown entity":                    {only("b"), nil, 0, []content.DocumentSet{all}, []string{"a", "b", "d"}, nil},
		"a document of an entity that a writer left halfway": {only("b"), of(unsettled), 0, []content.DocumentSet{all}, []string{"b", "d"}, []string{"c"}},
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
		if diff := cmp.Diff([]any{c.read, c.put, c.remove}, []any{f.read, put, removed}, cmp.AllowUnexported(content.DocumentSet{})); diff != "" {
			t.Errorf("of what changed is known: %s (-want +got):\n%s", name, diff)
		}
	}
}
