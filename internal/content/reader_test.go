package content_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// plenty is room for everything.
func plenty() (bytes, children int) { return 4 << 20, 1 << 30 }

// withTexts reads the documents of the set with all their texts, and how many vectors of the
// model m each has.
func withTexts(r *content.Reader, ref surgical.EntityRef, of content.DocumentSet) (shown content.ShownDocuments, vectors map[string]int, err error) {
	texts := map[string]string{}
	vectors = map[string]int{}
	shown, err = r.VisibleDocumentsWithTexts(ctx(), ref, of, "m", func(content.Document) bool { return true },
		func(d content.Document, _ content.Embeddings, of map[string]content.Vector) {
			texts[d.ID], vectors[d.ID] = d.Text, len(of)
		})
	for i, d := range shown.Documents {
		shown.Documents[i].Text = texts[d.ID]
	}
	return shown, vectors, err
}

// readings calls every reading method of a reader for one entity, and returns all that it
// returned.
func readings() map[string]func(r *content.Reader, ref surgical.EntityRef) (any, error) {
	return map[string]func(*content.Reader, surgical.EntityRef) (any, error){
		"Read": func(r *content.Reader, ref surgical.EntityRef) (any, error) { return r.Read(ctx(), ref) },
		"ReadRevision": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			var shown []string
			err := r.ReadRevision(ctx(), ref, func(v *content.Revision) error {
				page, err := v.Page(ctx(), []surgical.ChildKind{surgical.KindDiscussion}, "", plenty)
				if err != nil {
					return err
				}
				entity, err := page.Entity(ctx())
				shown = []string{string(entity)}
				for child, err := range page.Children(ctx()) {
					if err != nil {
						return err
					}
					shown = append(shown, string(child.Raw))
				}
				return err
			})
			return shown, err
		},
		"VisibleHead": func(r *content.Reader, ref surgical.EntityRef) (any, error) { return r.VisibleHead(ctx(), ref) },
		"VisibleHeads": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			heads, err := r.VisibleHeads(ctx(), []surgical.EntityRef{ref})
			return heads[ref], err
		},
		"VisibleDocuments": func(r *content.Reader, ref surgical.EntityRef) (any, error) { return r.VisibleDocuments(ctx(), ref) },
		"VisibleDocumentsAfter": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			page, last, _, err := r.VisibleDocumentsAfter(ctx(), ref, "", func(content.Document) bool { return true })
			return []any{page, last}, err
		},
		"VisibleDocumentsOf": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			shown, err := r.VisibleDocumentsOf(ctx(), map[surgical.EntityRef][]string{ref: {"entity", "discussion#d2"}})
			return shown[ref], err
		},
		"VisibleDocument": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			return r.VisibleDocument(ctx(), ref, "entity")
		},
		// It takes what the head may still hide; those who call it use what is in the result.
		"VisibleDocumentsWithTexts": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			shown, _, err := withTexts(r, ref, content.DocumentSet{})
			return shown, err
		},
		"VisibleDocumentsWithTexts, by name": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			shown, _, err := withTexts(r, ref, content.OnlyDocuments("entity", "discussion#d2"))
			return shown, err
		},
		"EntitiesOf": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			heads, _, _, err := r.EntitiesOf(ctx(), ref.ProjectID, surgical.Target{}, 100)
			return slices.DeleteFunc(heads, func(h surgical.Head) bool { return h.Ref != ref }), err
		},
		"List": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			page, err := r.List(ctx(), content.List{ProjectID: ref.ProjectID, Type: ref.Type, Limit: 100})
			return slices.DeleteFunc(page.Heads, func(h surgical.Head) bool { return h.Ref != ref }), err
		},
		// It shows nothing of a copy that is excluded, and of any other only its head.
		"Explained": func(r *content.Reader, ref surgical.EntityRef) (any, error) {
			head, why, err := r.Explained(ctx(), ref)
			if why != surgical.Excluded && why != "" {
				head.Attributes = surgical.Attributes{}
			}
			return head, err
		},
	}
}

func TestReader_EveryMethodShowsOnlyWhatReadersMaySee(t *testing.T) {
	w := newWorld(t)
	elsewhere := surgical.EntityRef{ProjectID: 2, Target: issue(1).Target}
	public, gone, hidden, confidential := issue(1), issue(2), issue(3), issue(5)
	for _, ref := range []surgical.EntityRef{public, gone, hidden, confidential, elsewhere} {
		g := newIssue().with("title", "SECRET").with("confidential", ref == confidential)
		if ref == public {
			g = newIssue().and("discussion#d2", `{"id":"d2","notes":[{"body":"OPEN"},{"body":"INTERNAL","internal":true}]}`)
		}
		head, _ := w.commit(ref, g)
		internal := document("discussion#d2", "INTERNAL")
		internal.Confidential = true
		w.write(head, document("entity", "SECRET"), internal)
	}
	w.poke(gone, "head", map[string]any{"gone": true})
	w.poke(hidden, "head", map[string]any{"hidden_since": int64(1)})
	hiddenAt := func(_ context.Context, project int64) (time.Time, error) {
		if project == elsewhere.ProjectID {
			return w.now, nil
		}
		return time.Time{}, nil
	}
	methods := readings()
	for name := range reflect.TypeFor[*content.Reader]().Methods() {
		if _, known := methods[name.Name]; !known && name.Name != "Confidential" {
			t.Errorf("%s is not tested: a method of a reader must show only what readers may see", name.Name)
		}
	}
	for name, read := range methods {
		for policy, shown := range map[surgical.Policy]surgical.EntityRef{surgical.Exclude: public, surgical.Include: confidential} {
			reader := w.ForReaders(hiddenAt, policy)
			of := func(ref surgical.EntityRef) (string, error) {
				got, err := read(reader, ref)
				text, encoding := json.Marshal(got)
				w.must(encoding)
				return string(text), err
			}
			for _, ref := range []surgical.EntityRef{gone, hidden, confidential, elsewhere} {
				got, err := of(ref)
				if text := strings.Contains(got, "SECRET"); text != (ref == shown) || ref == shown && err != nil {
					t.Errorf("%s, %s: %s: shows it %t, %v", name, policy, ref, text, err)
				}
				if code := surgical.CodeOf(err); err != nil && (code == surgical.CodeEntityGone) != (ref == gone) {
					t.Errorf("%s, %s: %s: %v", name, policy, ref, err)
				}
			}
			if got, _ := of(public); strings.Contains(got, "INTERNAL") != (policy == surgical.Include && (strings.HasPrefix(name, "Read") || strings.HasPrefix(name, "VisibleDocuments"))) {
				t.Errorf("%s, %s: internal notes in %s", name, policy, got)
			}
			excluded, err := of(confidential)
			never, absent := of(issue(6))
			if policy == surgical.Exclude && (strings.ReplaceAll(excluded, "5", "6") != strings.ReplaceAll(never, "5", "6") ||
				strings.ReplaceAll(fmt.Sprint(err), "#5", "#6") != fmt.Sprint(absent)) {
				t.Errorf("%s: excluded: %s, %v; never stored: %s, %v", name, excluded, err, never, absent)
			}
		}
	}
}

func TestForReaders_FailsIfTheProjectCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue())
	broken := errors.New("broken")
	reader := w.ForReaders(func(context.Context, int64) (time.Time, error) { return time.Time{}, broken }, surgical.Include)
	_, err := reader.Read(ctx(), issue(1))
	_, headErr := reader.VisibleHead(ctx(), issue(1))
	_, headsErr := reader.VisibleHeads(ctx(), []surgical.EntityRef{issue(1)})
	if slices.ContainsFunc([]error{err, headErr, headsErr}, func(err error) bool { return !errors.Is(err, broken) }) {
		t.Errorf("Read: %v, VisibleHead: %v, VisibleHeads: %v", err, headErr, headsErr)
	}
}

func TestForReaders_ReadsTheProjectAfterTheHead(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue())
	before := len(w.calls)
	reader := w.ForReaders(func(context.Context, int64) (time.Time, error) {
		if len(w.calls) == before {
			t.Error("what hides the project in between would not count")
		}
		return w.now, nil
	}, surgical.Include)
	if _, err := reader.VisibleHead(ctx(), issue(1)); surgical.CodeOf(err) != surgical.CodeEntityNotFound {
		t.Error(err)
	}
}

func TestVisibleDocuments_LeavesOutWhatTheHeadHides(t *testing.T) {
	w := newWorld(t)
	head, _ := w.commit(issue(1), newIssue())
	w.write(head, document("entity", "SECRET"))
	reader := w.ForReaders(nil, surgical.Include)
	if page, err := reader.VisibleDocuments(ctx(), issue(1)); err != nil || len(page.Documents) != 1 {
		t.Fatalf("%d documents, %v", len(page.Documents), err)
	}
	w.poke(issue(1), "head", map[string]any{"documents_visible_from": head.Revision + 1})
	if page, err := reader.VisibleDocuments(ctx(), issue(1)); err != nil || len(page.Documents) > 0 {
		t.Errorf("%d hidden documents are read, %v", len(page.Documents), err)
	}
}

// A caller that knows which documents changed reads these only, and gets what a list of all
// has of them.
func TestVisibleDocumentsWithTexts_ByNameReadsNoOthers(t *testing.T) {
	w := newWorld(t)
	head, _ := w.commit(issue(1), newIssue())
	others := make([]surgical.Document, 30)
	for i := range others {
		others[i] = document(fmt.Sprintf("discussion#%d", i), strings.Repeat("x", 10_000))
	}
	w.write(head, append(others, document("entity", "short"), document("discussion#long", strings.Repeat("long ", 50_000)))...)
	w.embed(head, "entity", "c1", "c2")
	w.embed(head, "discussion#3", "c3")
	all, vectorsOfAll, err := withTexts(w.Reader, issue(1), content.DocumentSet{})
	w.must(err)

	three := content.OnlyDocuments("entity", "discussion#3", "discussion#long", "discussion#none")
	w.calls = nil
	some, vectors, err := withTexts(w.Reader, issue(1), three)
	w.must(err)
	if queries, items := w.reads(); queries != 2 || items > 40 {
		t.Errorf("%d queries and %d items, want queries for vectors only", queries, items)
	}
	want := content.ShownDocuments{Head: all.Head, Embeddings: all.Embeddings}
	for _, d := range all.Documents {
		if three.Has(d.ID) {
			want.Documents = append(want.Documents, d)
		}
	}
	if !reflect.DeepEqual(want, some) || len(some.Documents) != 3 || len(some.Embeddings) != 2 {
		t.Errorf("read by name:\n%+v\nof the list:\n%+v", some, want)
	}
	for _, id := range []string{"entity", "discussion#3", "discussion#long"} {
		if vectors[id] != vectorsOfAll[id] {
			t.Errorf("%d vectors of %s, want %d", vectors[id], id, vectorsOfAll[id])
		}
	}
	refused, err := w.Reader.VisibleDocumentsWithTexts(ctx(), issue(1), three, "m", func(content.Document) bool { return false }, nil)
	w.must(err)
	for _, d := range refused.Documents {
		if d.Text != "" {
			t.Errorf("%s comes with the text %.20q, which nobody wants", d.ID, d.Text)
		}
	}
	w.calls = nil
	if some, _, err := withTexts(w.Reader, issue(1), content.OnlyDocuments()); err != nil || len(some.Documents) > 0 || some.Head.Revision != head.Revision || len(w.calls) != 1 {
		t.Errorf("of no document: %+v, %v, by %d calls", some, err, len(w.calls))
	}
}
