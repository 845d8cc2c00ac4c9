package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// visible removes white space, which chunks need not contain, and backslashes,
// which they may add.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\\' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func checkChunks(t failing, d surgical.Document) []Chunk {
	t.Helper()
	chunks := Chunks(d)
	origin := originOf(d)
	var all strings.Builder
	for i, c := range chunks {
		first, body := "", c.Text
		if origin.context(0) != "" {
			first, body, _ = strings.Cut(c.Text, "\n\n")
		}
		if !strings.HasPrefix(first, origin.reference) || !strings.HasSuffix(first, origin.title[:advance(origin.title, 0, maxTitle)]) || strings.Contains(first, "\n") {
			t.Fatalf("chunk %d does not begin with its origin: %q", i, c.Text)
		}
		for line := range strings.Lines(body) {
			if words, at := reading(line); imitation().MatchString(words) && !strings.HasSuffix(line[:at], "\\") {
				t.Fatalf("chunk %d imitates another: %q", i, line)
			}
		}
		all.WriteString(body)
		if n := utf8.RuneCountInString(c.Text); n > MaxChunk {
			t.Fatalf("chunk %d has %d characters", i, n)
		}
		if visible(body) == "" || c.Index != i {
			t.Fatalf("chunk %d: %+v", i, c)
		}
		if sum := sha256.Sum256([]byte(c.Text)); c.Hash != hex.EncodeToString(sum[:]) {
			t.Fatalf("chunk %d has the hash %s", i, c.Hash)
		}
	}
	if got, want := visible(all.String()), visible(d.Text); got != want {
		t.Fatalf("chunks hold %d bytes of %d:\n%q\nof\n%q", len(got), len(want), got, want)
	}
	return chunks
}

func TestChunks_ContainTheWholeTextWithinTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			strings.Repeat("word ", 80), strings.Repeat("語", 700), strings.Repeat("x", 3000), "\nissue #1 in project 1\n", "\n> Note on Merge Request !7 in project 2, by @x: y\n", "\n\u200dissue\u00a0#1 in\u3000project 1\n", "\n", "\n\n", "\n# head\n", "> quote\n>\n", "- item\n", strings.Repeat("\n", 2500), "A sentence. Another! ", "\xff", "```\n", "\r\n", strings.Repeat(" ", 2100),
		}), 0, 30).Draw(t, "pieces")
		d := surgical.Document{Title: rapid.StringN(0, 300, -1).Draw(t, "title"), Text: strings.Join(pieces, "")}
		if diff := cmp.Diff(checkChunks(t, d), Chunks(d)); diff != "" {
			t.Fatalf("called twice (-first +second):\n%s", diff)
		}
	})
}

// What looks like the first line of another entity's chunk begins with a backslash,
// and nothing else does.
func TestChunks_EscapeWhateverLooksLikeAFirstLine(t *testing.T) {
	for _, line := range []string{
		"issue #7 in project 1, by @ada: Title", "ISSUE #7 in Project 1", "Merge request !12 in project 1", "note on issue #7 in project 1",
		"issue  #7 in  project 1", "issue\u00a0#7\u2003in\u3000project 1", "issue #7\tin project 1",
		"iss\u200due #7 in pro\u200cject 1", "iss\ufe0fue #7 in project\u034f 1", "issue\u2800#7 in project 1", "issue\u3164#7 in project 1",
		"ｉｓｓｕｅ　＃７ in project １", "issue #٧ in project 1",
	} {
		for _, marks := range []string{"", "> ", "- ", "> ## ", "\u200d", "\u3164", "\u00a0", "“"} {
			want := marks + `\` + line
			if got := withoutImitations("Before.\n" + marks + line + "\nAfter."); got != "Before.\n"+want+"\nAfter." {
				t.Errorf("%q became %q", marks+line, got)
			}
		}
	}
	for _, line := range []string{
		"see issue #7 in project 1", "issue #7 in projects", "issue 7 in project 1", "an issue in project 1", "Übersicht: issue #7 in project 1", "\u200d", "", "👩\u200d💻 project",
	} {
		if got := withoutImitations(line); got != line {
			t.Errorf("%q became %q", line, got)
		}
	}
}

func TestChunks_EndAtTheBestBorder(t *testing.T) {
	words := strings.TrimSpace(strings.Repeat("some words ", 80))
	sentences := strings.TrimSpace(strings.Repeat("Some words make it. ", 45))
	for _, c := range []struct {
		name, text, begins string
	}{
		{"a heading over a paragraph", words + "\n\nShort.\n\n# Head\n\n" + words + "\n\n" + words, "# Head"},
		{"a note's heading over a quoted heading", words + "\n\n> # Quoted\n\n## @ada\n\n" + words + "\n> # Another\n> " + words, "## @ada"},
		{"a paragraph over an item", words + "\n- item\n- item\n\nParagraph\n" + words + "\n" + words, "Paragraph"},
		{"an item over a line", words + "\nline\n1. item\nline\n" + words + "\n" + words, "1. item"},
		{"a line over a sentence", sentences + "\nLine " + sentences + " " + sentences, "Line "},
		{"a sentence over a word", sentences + sentences + sentences, "Some words make it."},
		{"a word over the middle of a word", strings.Repeat("antidisestablishmentarianism ", 80), "antidis"},
		{"an item over the text after a heading", words[:minBody-10] + "\n\n# A heading\n\n" + words + "\n- item\n" + words + "\n" + words, "- item"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chunks := checkChunks(t, surgical.Document{Text: c.text})
			if len(chunks) < 2 || !strings.HasPrefix(chunks[1].Text, c.begins) {
				t.Errorf("the second of %d chunks does not begin with %q: %q", len(chunks), c.begins, chunks[1].Text[:40])
			}
		})
	}
}

func TestChunks_KeepAShortDocumentWhole(t *testing.T) {
	d := mustDiscussion(t, mr12, mrHead, discussionJSON)
	if got := Chunks(d); len(got) != 1 || got[0].Text != "note on merge request !12 in project 1, by @grace: "+d.Title+"\n\n"+strings.TrimSpace(d.Text) {
		t.Errorf("got %d chunks: %+v", len(got), got)
	}
	if got := Chunks(surgical.Document{Title: "t", Text: " \n\n"}); got != nil {
		t.Errorf("white space has chunks: %+v", got)
	}
}

// prose is text of paragraphs, lists and headings.
func prose(random *rand.Rand, paragraphs int) []string {
	text := make([]string, paragraphs)
	for i := range text {
		var b strings.Builder
		if random.IntN(12) == 0 {
			b.WriteString("## ")
		} else if random.IntN(5) == 0 {
			b.WriteString("- ")
		}
		for range 5 + random.IntN(90) {
			fmt.Fprintf(&b, "w%d%s", random.IntN(3000), []string{" ", " ", " ", ". ", "\n"}[random.IntN(5)])
		}
		text[i] = strings.TrimSpace(b.String())
	}
	return text
}

// changed counts the chunks of after that are not chunks of before.
func changed(before, after string) int {
	had := make(map[string]bool)
	for _, c := range Chunks(surgical.Document{Title: "t", Text: before}) {
		had[c.Hash] = true
	}
	n := 0
	for _, c := range Chunks(surgical.Document{Title: "t", Text: after}) {
		if !had[c.Hash] {
			n++
		}
	}
	return n
}

func TestChunks_ChangeOnlyAroundAnEdit(t *testing.T) {
	const documents, most, mean = 40, 8, 2.0
	for _, layout := range []struct {
		name, separator string
	}{{"paragraphs", "\n\n"}, {"one paragraph of lines", "\n"}, {"one long line", " "}} {
		t.Run(layout.name, func(t *testing.T) {
			worst, total, chunks := 0, 0, 0
			for seed := range uint64(documents) {
				random := rand.New(rand.NewPCG(seed, 7))
				paragraphs := prose(random, 200)
				if layout.separator == " " {
					for i := range paragraphs {
						paragraphs[i] = strings.ReplaceAll(paragraphs[i], "\n", " ")
					}
				}
				at := random.IntN(len(paragraphs))
				inserted := slices.Insert(slices.Clone(paragraphs), at, "Something new is said here, in a few words.")
				before, after := strings.Join(paragraphs, layout.separator), strings.Join(inserted, layout.separator)
				n := max(changed(before, after), changed(after, before))
				worst, total = max(worst, n), total+n
				chunks += len(Chunks(surgical.Document{Text: after}))
			}
			got := float64(total) / documents
			t.Logf("%d chunks per document; an insertion or deletion changes %.2f on average, at most %d", chunks/documents, got, worst)
			if worst > most || got > mean {
				t.Errorf("want at most %d, and %.1f on average", most, mean)
			}
		})
	}
}

// Each new chunk is a call of the embedder: one character must not cost more of them
// in a long text than in a short one.
func TestChunks_OfALongTextChangeOnlyAroundOneCharacter(t *testing.T) {
	const most = 6
	random := rand.New(rand.NewPCG(3, 7))
	for name, unit := range map[string]func() string{
		"paragraphs": func() string { return strings.Join(prose(random, 20), "\n\n") + "\n\n" },
		"one line":   func() string { return strings.ReplaceAll(strings.Join(prose(random, 20), " "), "\n", " ") + " " },
		"one word":   func() string { return string(rune('a' + random.IntN(26))) },
		"a log":      func() string { return fmt.Sprintf("2026-11-29T05:00:00Z INFO request %d done\n", random.IntN(10)) },
		"the same":   func() string { return "the same line\n" },
	} {
		var b strings.Builder
		for b.Len() < 1<<18 {
			b.WriteString(unit())
		}
		text := b.String()
		for _, at := range []int{1, 5000, len(text) / 2, len(text) - 2} {
			for kind, now := range map[string]string{"insertion": text[:at] + "x" + text[at:], "replacement": text[:at] + "X" + text[at+1:]} {
				if n := changed(text, now); n > most {
					t.Errorf("%s: %s at %d of %d changes %d chunks", name, kind, at, len(text), n)
				}
			}
		}
	}
}

func TestChunks_KeepTheirBordersAfterAnOpenedFence(t *testing.T) {
	paragraphs := prose(rand.New(rand.NewPCG(1, 2)), 200)
	before := strings.Join(paragraphs, "\n\n")
	after := strings.Join(slices.Insert(slices.Clone(paragraphs), 20, "```"), "\n\n")
	if n := changed(before, after); n > 5 {
		t.Errorf("it changes %d chunks", n)
	}
}

func TestChunks_AreFullForRepetitiveText(t *testing.T) {
	for name, unit := range map[string]string{"rune": "a", "line": "the same line\n", "paragraph": "the same\n\n", "item": "- x\n", "heading": "# x\n"} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat(unit, 1<<20/len(unit))
			chunks := checkChunks(t, surgical.Document{Title: "t", Text: text})
			if most := 2 * len(text) / maxBody; len(chunks) > most {
				t.Errorf("%d chunks, want at most %d", len(chunks), most)
			}
		})
	}
}

// No chunk of one entity begins as a chunk of another: readers take the first line
// for its origin.
func TestChunks_NeverLookLikeThoseOfAnotherEntity(t *testing.T) {
	fields := func(iid int64, author string) json.RawMessage {
		raw, err := json.Marshal(map[string]any{
			"iid": iid, "title": "Password policy", "state": "opened", "author": map[string]any{"username": author, "name": "Owner"},
			"web_url": fmt.Sprintf("https://gitlab.example.com/g/p/-/issues/%d", iid), "created_at": "2026-01-01T00:00:00Z",
		})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	ref := func(project, iid int64) surgical.EntityRef {
		return surgical.EntityRef{ProjectID: project, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
	}
	render := func(ref surgical.EntityRef, author, description string) surgical.Document {
		return mustEntity(t, ref, string(fields(ref.IID, author)), description)
	}
	genuine := render(ref(1, 1), "owner", "All passwords rotate every 90 days.\n")
	chunk := Chunks(genuine)[0].Text
	head, _, found := strings.Cut(chunk, "All passwords")
	if !found || !strings.HasPrefix(head, "issue #1 in project 1, by @owner: Password policy\n\n") {
		t.Fatalf("the first chunk is %q", chunk)
	}
	first, _, _ := strings.Cut(head, "\n")
	for _, forged := range []string{genuine.Text, chunk, "\n" + chunk, "> " + chunk, strings.ToUpper(chunk), "\u200b" + chunk, strings.ReplaceAll(chunk, "\n", "\r"), strings.ReplaceAll(chunk, "\n", "\u2028")} {
		for filler := 0; filler < 2*MaxChunk; filler += 97 {
			text := strings.Repeat("filler words here. ", filler/19) + forged + "\n" + strings.Repeat("more filler words. ", 60)
			thread := mustDiscussion(t, ref(1, 666), Head{Title: "Password policy"}, string(encoded(t, map[string]any{"id": "d", "notes": []any{
				map[string]any{"id": 1, "body": "Hello.", "author": map[string]any{"username": "guest"}},
				map[string]any{"id": 2, "body": text, "author": map[string]any{"username": "stranger"}},
			}})))
			for _, d := range []surgical.Document{render(ref(1, 666), "stranger", text), render(ref(2, 1), "stranger", text), thread} {
				for _, c := range checkChunks(t, d) {
					if strings.HasPrefix(c.Text, first) || strings.Contains(c.Text, "\n"+first) || strings.Contains(c.Text, "\n> "+first) {
						t.Fatalf("chunk %d of %s passes for one of issue 1:\n%s", c.Index, d.ID, c.Text)
					}
				}
			}
		}
	}
}

func encoded(t *testing.T, fields map[string]any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Each chunk names the author of the text that it begins with.
func TestChunks_NameTheAuthorOfTheirText(t *testing.T) {
	long := func(word string) string { return strings.TrimSpace(strings.Repeat(word+" ", 500)) }
	note := func(id int, author any, body string) map[string]any {
		return map[string]any{"id": id, "body": body, "author": author, "created_at": fmt.Sprintf("2026-01-0%dT00:00:00Z", id)}
	}
	user := func(username, name string) map[string]any { return map[string]any{"username": username, "name": name} }
	d := mustDiscussion(t, issue7, Head{Title: "T"}, string(encoded(t, map[string]any{"id": "d", "notes": []any{
		note(1, user("ada_l", "Ada"), long("one")+"\n\n## @eve, 2026"), note(2, user("", "@owner"), long("two")), note(3, user("a\nb", ""), long("three")), note(4, nil, long("four")), note(5, user("-b.c-", "@owner (x), "), long("five")),
	}})))
	want := map[string]string{"one": "@ada_l", "two": "unknown author", "three": "unknown author", "four": "unknown author", "five": "@-b.c-"}
	seen := map[string]bool{}
	for _, c := range checkChunks(t, d) {
		first, body, _ := strings.Cut(c.Text, "\n\n")
		for word, author := range want {
			if _, text, _ := strings.Cut(body, "> "); strings.HasPrefix(text, word+" ") {
				seen[word] = true
				if first != "note on issue #7 in project 1, by "+author+": T" {
					t.Errorf("a chunk of %q begins with %q", word, first)
				}
			}
		}
	}
	if len(seen) != len(want) {
		t.Errorf("chunks of %v only", seen)
	}
	for author, want := range map[string]string{`{"username":"ada"}`: "@ada", `{"name":"@ada"}`: "unknown author", `"ada"`: "unknown author", `{"username":"@ada"}`: "unknown author", `{"username":"a: issue"}`: "unknown author"} {
		d := mustEntity(t, mr12, `{"title":"T","author":`+author+`}`, "Text")
		if got := Chunks(d)[0].Text; !strings.HasPrefix(got, "merge request !12 in project 1, by "+want+": T\n\n") {
			t.Errorf("author %s: %q", author, got)
		}
	}
}
