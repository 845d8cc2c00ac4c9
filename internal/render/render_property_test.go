package render

import (
	"bytes"
	"encoding/json"
	"html"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// markdown is GFM without autolinks, which do not affect the structure.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList))

// hostile draws text that tries to look like structure.
func hostile() *rapid.Generator[string] {
	pieces := rapid.SampledFrom([]string{
		"word", " ", "\n", "\r\n", "\r", "\t", "\x00", "\u2028", "\u202e", "# ", "## ", "#", "---", "===", "***", "- ", "1. ", "> ", "```", "~~~", "`", "*", "_", "__", "~~",
		"[", "]", "(", ")", "[a]: https://x.example", "![", "<!--", "-->", "<script>", "<b>", "<?", "<", ">", "&amp;", "&#35;", "&", ";", "\\", "|", "|-|", "[^1]", "[x]", "é", "語", "\xff", "😀", "snake_case", ":", "!", "@ada",
	})
	return rapid.OneOf(rapid.String(), rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(pieces, 0, 20).Draw(t, "pieces"), "")
	}))
}

func object(t *rapid.T, fields map[string]any) json.RawMessage {
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func user(t *rapid.T) map[string]any {
	return map[string]any{"username": hostile().Draw(t, "username"), "name": hostile().Draw(t, "name")}
}

func entityFields(t *rapid.T) map[string]any {
	return map[string]any{
		"title": hostile().Draw(t, "title"), "state": hostile().Draw(t, "state"), "draft": rapid.Bool().Draw(t, "draft"),
		"labels": rapid.SliceOfN(hostile(), 0, 4).Draw(t, "labels"), "milestone": map[string]any{"title": hostile().Draw(t, "milestone")},
		"author": user(t), "assignees": []any{user(t), user(t)}, "reviewers": []any{user(t)},
		"source_branch": hostile().Draw(t, "source"), "target_branch": hostile().Draw(t, "target"),
		"created_at": hostile().Draw(t, "created"), "web_url": rapid.OneOf(rapid.Just("https://gitlab.example.com/7"), hostile()).Draw(t, "url"),
	}
}

func discussionFields(t *rapid.T) map[string]any {
	notes := make([]any, rapid.IntRange(0, 5).Draw(t, "notes"))
	for i := range notes {
		notes[i] = map[string]any{
			"id": rapid.Int64().Draw(t, "id"), "body": hostile().Draw(t, "body"), "author": user(t), "created_at": hostile().Draw(t, "created"),
			"system": rapid.Bool().Draw(t, "system"), "internal": rapid.Bool().Draw(t, "internal"), "resolvable": rapid.Bool().Draw(t, "resolvable"),
			"resolved": rapid.Bool().Draw(t, "resolved"), "resolved_by": user(t),
			"position": map[string]any{"new_path": hostile().Draw(t, "path"), "new_line": rapid.Int64().Draw(t, "line")},
		}
	}
	return map[string]any{"id": "d", "notes": notes}
}

// shape returns the kinds of the top-level blocks of a Markdown text.
func shape(source string) []string {
	var kinds []string
	doc := markdown.Parser().Parse(text.NewReader([]byte(source)))
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		kinds = append(kinds, n.Kind().String())
	}
	return kinds
}

// failing is the part of *testing.T and *rapid.T that the checks use.
type failing interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// checkFrontMatter checks the title and the metadata, and returns the kinds of
// the blocks after them.
func checkFrontMatter(t failing, d surgical.Document) []string {
	t.Helper()
	var out bytes.Buffer
	if err := markdown.Convert([]byte(d.Text), &out); err != nil {
		t.Fatal(err)
	}
	if want := "<h1>" + escaped(d.Title) + "</h1>\n<ul>\n<li>Type: "; !strings.HasPrefix(out.String(), want) {
		t.Fatalf("the page does not begin with %q:\n%s\nfrom\n%s", want, out.String(), d.Text)
	}
	kinds := shape(d.Text)
	if diff := cmp.Diff([]string{"Heading", "List"}, kinds[:2]); diff != "" {
		t.Fatalf("front matter (-want +got):\n%s\n%s", diff, d.Text)
	}
	return kinds[2:]
}

// escaped escapes HTML the way goldmark does.
func escaped(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(html.EscapeString(s), "&#34;", "&quot;"), "&#39;", "'")
}

func TestEntity_KeepsItsFrontMatterWithHostileText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := rapid.SampledFrom([]surgical.EntityRef{issue7, mr12}).Draw(t, "ref")
		description := hostile().Draw(t, "description")
		d, err := Entity(ref, object(t, entityFields(t)), description)
		if err != nil {
			t.Fatal(err)
		}
		checkDescription(t, d, description)
	})
}

func TestDiscussion_NeverShowsAForgedNote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := discussionFields(t)
		d, err := Discussion(mr12, Head{Title: hostile().Draw(t, "title"), WebURL: "https://gitlab.example.com/7"}, object(t, fields))
		if err != nil {
			t.Fatal(err)
		}
		checkThread(t, d, len(fields["notes"].([]any)))
	})
}

// checkThread checks that a document has this many notes, each with a heading,
// an optional list and an optional block quote.
func checkThread(t failing, d surgical.Document, notes int) {
	t.Helper()
	rest := checkFrontMatter(t, d)
	if rest[0] != ast.KindThematicBreak.String() {
		t.Fatalf("blocks %v, want the break first:\n%s", rest, d.Text)
	}
	headings, previous := 0, ""
	for _, kind := range rest[1:] {
		switch kind {
		case "Heading":
			headings++
		case "List", "Blockquote":
			if previous == kind || previous == "Blockquote" {
				t.Fatalf("blocks %v:\n%s", rest, d.Text)
			}
		default:
			t.Fatalf("a %s outside a quotation:\n%s", kind, d.Text)
		}
		previous = kind
	}
	if headings != notes {
		t.Fatalf("%d headings for %d notes:\n%s", headings, notes, d.Text)
	}
}

// checkDescription checks that the description follows the first break as text,
// and that there is no break without a description.
func checkDescription(t failing, d surgical.Document, description string) {
	t.Helper()
	rest := checkFrontMatter(t, d)
	if strings.TrimSpace(plaintext.Text(description)) == "" {
		if len(rest) > 0 {
			t.Fatalf("blocks %v without a description:\n%s", rest, d.Text)
		}
		return
	}
	if len(rest) == 0 || rest[0] != ast.KindThematicBreak.String() {
		t.Fatalf("blocks %v, want the break first:\n%s", rest, d.Text)
	}
	front, body, _ := strings.Cut(d.Text, "\n---\n")
	if strings.TrimSuffix(body[1:], "\n") != strings.TrimSuffix(plaintext.Text(description), "\n") {
		t.Fatalf("what follows the first break is %q, want %q", body, description)
	}
	if strings.ContainsFunc(front, func(r rune) bool { return r != '\n' && r < ' ' }) {
		t.Fatalf("control characters in %q", front)
	}
}

func TestRender_IsDeterministicAndIndependentOfKeyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entity, thread := entityFields(t), discussionFields(t)
		seed := rapid.Uint64().Draw(t, "seed")
		description := hostile().Draw(t, "description")
		head := Head{Title: hostile().Draw(t, "head")}
		render := func(entity, thread json.RawMessage) []surgical.Document {
			e, err := Entity(mr12, entity, description)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Discussion(mr12, head, thread)
			if err != nil {
				t.Fatal(err)
			}
			return []surgical.Document{e, d}
		}
		want := render(object(t, entity), object(t, thread))
		got := render(shuffled(t, entity, seed), shuffled(t, thread, seed))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("documents (-want +got):\n%s", diff)
		}
	})
}

// shuffled encodes v with the keys of all objects in a random order.
func shuffled(t *rapid.T, v any, seed uint64) json.RawMessage {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		members := make([]string, len(keys))
		for i, k := range keys {
			members[i] = `"` + k + `":` + string(shuffled(t, v[k], seed))
		}
		return json.RawMessage("{" + strings.Join(members, ",") + "}")
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = string(shuffled(t, v[i], seed))
		}
		return json.RawMessage("[" + strings.Join(items, ",") + "]")
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
}
