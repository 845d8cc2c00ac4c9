package embedded_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// followedIssue is one issue and the feed of its changes.
type followedIssue struct {
	// texts are those of its documents, which are their hashes as well.
	texts  map[string]string
	label  string
	hidden bool
	feed   []feed.Entry
	clock  func() time.Time
}

func (*followedIssue) ref() surgical.EntityRef { return searchtest.Issue(1) }

// Now implements [search.Source].
func (s *followedIssue) Now(context.Context) (search.Position, error) {
	return search.Position{Cursor: string(rune('a' + len(s.feed))), AsOf: s.clock()}, nil
}

// After implements [search.Source].
func (s *followedIssue) After(ctx context.Context, from search.Position, _ int) (search.Changed, error) {
	changed := search.ChangedBy(s.feed[from.Cursor[0]-'a':])
	var err error
	changed.To, err = s.Now(ctx)
	return changed, err
}

// VisibleDocumentsWithTexts implements [search.Content].
func (s *followedIssue) VisibleDocumentsWithTexts(_ context.Context, _ surgical.EntityRef, of content.DocumentSet, _ string, wanted func(content.Document) bool, take func(content.Document, content.Embeddings, map[string]content.Vector)) (content.ShownDocuments, error) {
	if s.hidden {
		return content.ShownDocuments{}, surgical.NewError(surgical.CodeEntityGone, "hidden")
	}
	shown := content.ShownDocuments{Head: surgical.Head{Ref: s.ref(), Revision: 1}}
	shown.Head.Attributes.Labels = []string{s.label}
	for id, text := range s.texts {
		if !of.Has(id) {
			continue
		}
		d := content.Document{Document: surgical.Document{ID: id, Text: text, Hash: text}, Revision: 1}
		if wanted(d) {
			take(d, content.Embeddings{}, nil)
		}
		shown.Documents = append(shown.Documents, d)
	}
	return shown, nil
}

// changed adds entries to the feed: "" for the issue itself.
func (s *followedIssue) changed(documents ...string) {
	for _, id := range documents {
		s.feed = append(s.feed, feed.Entry{Ref: s.ref(), Document: id})
	}
}

// read is what a rebuild reads of the issue now.
func (s *followedIssue) read() []search.Change {
	if s.hidden {
		return nil
	}
	change := search.Change{Ref: s.ref(), Facets: search.Facets{Labels: []string{s.label}}}
	for id, text := range s.texts {
		change.Put = append(change.Put, search.Document{ID: id, Indexed: search.Indexed{Hash: text, Chunks: 1}, Texts: []string{text}})
	}
	return []search.Change{change}
}

// Another indexer follows while a rebuild is under way. What it finds different about the
// old index is not what the new one has to change.
func TestRebuild_BesideAnIndexerThatFollows(t *testing.T) {
	for name, c := range map[string]struct {
		// before the rebuild reads the issue, between that and the other indexer, and after.
		before, between, after func(s *followedIssue)
		found                  []string
		// empty says that the old index has nothing.
		empty bool
	}{
		"an issue that was hidden when it was read": {
			func(s *followedIssue) { s.hidden = true; s.changed("") },
			func(s *followedIssue) { s.hidden, s.label = false, "bug"; s.changed("") },
			func(s *followedIssue) { s.label = "other"; s.changed("") },
			[]string{"crash", "printer"}, false,
		},
		"a thread that was public when it was read": {
			func(s *followedIssue) { s.texts["discussion#b"] = "secret"; s.changed("", "discussion#b") },
			func(s *followedIssue) { delete(s.texts, "discussion#b"); s.changed("", "discussion#b") },
			func(s *followedIssue) { s.label = "other"; s.changed("") },
			[]string{"crash", "printer"}, false,
		},
		"an issue that was erased after it was read": {
			func(*followedIssue) {},
			func(s *followedIssue) { s.hidden = true; s.changed("", "entity", "discussion#a") },
			func(*followedIssue) {},
			[]string{}, false,
		},
		"an issue that appeared and was erased after it was read": {
			func(s *followedIssue) { s.texts["entity"] = "secret"; s.changed("", "entity") },
			func(s *followedIssue) { s.hidden = true; s.changed("", "entity", "discussion#a") },
			func(*followedIssue) {},
			[]string{}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := &followedIssue{texts: map[string]string{"entity": "crash", "discussion#a": "printer"}, clock: w.Clock}
			follow := func() {
				indexer := &search.Indexer{Engine: w.Engine(), Source: s, Content: s, Log: slog.New(slog.DiscardHandler)}
				w.Must(indexer.Run(t.Context()))
			}
			old := s.read()
			if c.empty {
				old = nil
			}
			w.Must(w.Engine().Rebuild(t.Context(), search.Position{Cursor: "a", AsOf: w.Now}, searchtest.All(old)))
			w.Pass(time.Second)
			at, err := s.Now(t.Context())
			w.Must(err)
			w.Must(w.Engine().Rebuild(t.Context(), at, func(yield func(search.Change, error) bool) {
				c.before(s)
				for _, change := range s.read() {
					yield(change, nil)
				}
				c.between(s)
				follow()
			}))
			w.Pass(time.Second)
			follow()
			c.after(s)
			follow()
			found := []string{}
			for _, word := range []string{"crash", "printer", "secret"} {
				if len(w.Words(w.Engine(), word)) > 0 {
					found = append(found, word)
				}
			}
			w.Same("found", c.found, found)
		})
	}
}
