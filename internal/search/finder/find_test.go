package finder_test

import (
	"context"
	"errors"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/finder"
	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// indexed is an engine that finds the first chunk of one document, as it was when it was
// indexed.
type indexed struct {
	search.Engine
	document content.Document
}

func (i indexed) Search(context.Context, search.Query, int) (search.Candidates, error) {
	return search.Candidates{Mode: search.Lexical, Found: []search.Candidate{
		{Ref: searchtest.Issue(1), Document: i.document.ID, Hash: i.document.Hash, Score: 1},
	}}, nil
}

// stored is what readers see of issue 1: its head, a document as lists have it, and with
// its text, which is read later.
type stored struct {
	head          surgical.Head
	listed, whole content.Document
	err           error
}

func (s stored) VisibleDocumentsOf(context.Context, map[surgical.EntityRef][]string) (map[surgical.EntityRef]content.ShownDocuments, error) {
	return map[surgical.EntityRef]content.ShownDocuments{searchtest.Issue(1): {Head: s.head, Documents: []content.Document{s.listed}}}, nil
}

func (s stored) VisibleDocument(context.Context, surgical.EntityRef, string) (content.Document, error) {
	return s.whole, s.err
}

func (s stored) VisibleHead(context.Context, surgical.EntityRef) (surgical.Head, error) {
	return s.head, s.err
}

// texts are those of the passages that are found of what was indexed.
func texts(t *testing.T, i indexed, s stored, filter search.Filter) (found []string, err error) {
	t.Helper()
	words, err := language.New(language.Default)
	if err != nil {
		t.Fatal(err)
	}
	f := &finder.Finder{Engine: i, Truth: s, Words: words}
	answer, err := f.Find(t.Context(), search.Query{Text: "crash", Filter: filter, Limit: 10})
	for _, hit := range answer.Hits {
		for _, p := range hit.Passages {
			found = append(found, p.Text)
		}
	}
	return found, err
}

func document(text, hash string) content.Document {
	return content.Document{Document: surgical.Document{ID: "entity", Text: text, Hash: hash}, Revision: 1}
}

// An index that has not followed a change yet finds what no longer matches.
func TestFind_ComparesFiltersWithTheEntityAsItIs(t *testing.T) {
	d := document("a crash", "one")
	head := surgical.Head{Ref: searchtest.Issue(1), Revision: 1}
	head.Attributes.State, head.Attributes.Labels, head.Attributes.Author = "closed", []string{"bug"}, &surgical.User{Username: "ines"}
	for name, c := range map[string]struct {
		filter search.Filter
		shown  int
	}{
		"none":           {search.Filter{}, 1},
		"its state":      {search.Filter{State: "closed"}, 1},
		"another state":  {search.Filter{State: "opened"}, 0},
		"its label":      {search.Filter{Labels: []string{"bug"}}, 1},
		"another label":  {search.Filter{Labels: []string{"bug", "ui"}}, 0},
		"another author": {search.Filter{Author: "omar"}, 0},
	} {
		if found, err := texts(t, indexed{document: d}, stored{head: head, listed: d}, c.filter); err != nil || len(found) != c.shown {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func TestFind_ShowsNoTextThatWasNotIndexed(t *testing.T) {
	head := surgical.Head{Ref: searchtest.Issue(1), Revision: 1}
	if found, err := texts(t, indexed{document: document("a crash", "one")}, stored{head: head, listed: document("a secret", "two")}, search.Filter{}); err != nil || len(found) != 0 {
		t.Errorf("of a document that changed: %v, %v", found, err)
	}
	// A long document may change again before its text is read.
	listed := searchtest.LongDocument(t)
	listed.Hash = "one"
	whole := func(text, hash string) content.Document {
		d := listed
		d.Text, d.Hash = text, hash
		return d
	}
	unreadable := errors.New("the table does not answer")
	for name, c := range map[string]struct {
		stored stored
		want   string
		err    error
	}{
		"as it was indexed": {stored{whole: whole("a crash", "one")}, "a crash", nil},
		"changed":           {stored{whole: whole("a secret", "two")}, "", nil},
		"deleted":           {stored{}, "", nil},
		"gone":              {stored{err: surgical.Concealed(head.Ref, surgical.Gone)}, "", nil},
		"confidential":      {stored{err: surgical.Concealed(head.Ref, surgical.Excluded)}, "", nil},
		"unreadable":        {stored{err: unreadable}, "", unreadable},
	} {
		c.stored.head, c.stored.listed = head, listed
		found, err := texts(t, indexed{document: listed}, c.stored, search.Filter{})
		if !errors.Is(err, c.err) || c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || found[0] != c.want) {
			t.Errorf("%s: %q, %v", name, found, err)
		}
	}
}
