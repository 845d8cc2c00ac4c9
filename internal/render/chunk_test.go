package render

import (
	"crypto/sha256"
	"encoding/hex"
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

// visible removes white space, which chunks need not contain.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func checkChunks(t failing, d surgical.Document) []Chunk {
	t.Helper()
	chunks := Chunks(d)
	var all strings.Builder
	for i, c := range chunks {
		body, ok := strings.CutPrefix(c.Text, contextOf(d))
		if !ok {
			t.Fatalf("chunk %d does not begin with the title: %q", i, c.Text)
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
			strings.Repeat("word ", 80), strings.Repeat("語", 700), strings.Repeat("x", 3000), "\n", "\n\n", "\n# head\n", "> quote\n>\n", "- item\n", strings.Repeat("\n", 2500), "A sentence. Another! ", "\xff", "```\n", "\r\n", strings.Repeat(" ", 2100),
		}), 0, 30).Draw(t, "pieces")
		d := surgical.Document{Title: rapid.StringN(0, 300, -1).Draw(t, "title"), Text: strings.Join(pieces, "")}
		if diff := cmp.Diff(checkChunks(t, d), Chunks(d)); diff != "" {
			t.Fatalf("called twice (-first +second):\n%s", diff)
		}
	})
}

func TestChunks_EndAtTheBestBorder(t *testing.T) {
	words := strings.TrimSpace(strings.Repeat("some words ", 80))
	sentences := strings.TrimSpace(strings.Repeat("Some words make it. ", 45))
	for _, c := range []struct {
		name, text, begins string
	}{
		{"a heading over a paragraph", words + "\n\n" + words + "\n\n# Head\n\n" + words + "\n\n" + words, "# Head"},
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
	if got := Chunks(d); len(got) != 1 || got[0].Text != d.Title+"\n\n"+strings.TrimSpace(d.Text) {
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
