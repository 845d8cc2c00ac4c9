package render

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// For any JSON, the metadata is the renderer's own: each field appears at most
// once and is true. The description follows verbatim, and equal values give equal
// documents.
func FuzzRenderEntity(f *testing.F) {
	f.Add(issueJSON, issueDescription, true)
	f.Add(mrJSON, "", false)
	f.Add(`{"title":"\ud800","labels":["\u0000"]}`, "\xff", true)
	f.Add(`{"title":"a\n- Confidential: yes","labels":["x\n\n---\n\n- Draft: yes"],"author":{"name":"b\r- State: closed"}}`, "\n---\n- Confidential: yes\n", true)
	f.Add(`{"title":"<b>x</b> &amp; [a](b) `+"`c`"+` *d* ~~e~~ \\","state":"<!--","web_url":"https://x.example/a b>c","labels":["<script>"]}`, "-->", true)
	f.Add(`{"title":"===","state":"- Labels: none","web_url":"https://x.example/>\n- Draft: yes","due_date":"\u2028- Due: never"}`, "   ", false)
	f.Fuzz(func(t *testing.T, raw, description string, issue bool) {
		ref := mr12
		if issue {
			ref = issue7
		}
		d, err := Entity(ref, json.RawMessage(raw), description)
		if unreadableJSON(t, err) {
			return
		}
		checkDocument(t, d)
		checkDescription(t, d, description)
		entity, err := surgical.ParseAttributes(json.RawMessage(raw))
		if err != nil {
			t.Fatalf("it was rendered but cannot be decoded: %v", err)
		}
		front, _, _ := strings.Cut(d.Text, "\n---\n")
		fields := metadata(t, strings.Split(strings.TrimSuffix(front, "\n"), "\n")[2:],
			"Type", "Reference", "Project", "State", "Draft", "Confidential", "Labels", "Milestone", "Author", "Assignees", "Reviewers",
			"Source branch", "Target branch", "Created", "Closed", "Merged", "Due", "Link")
		_, reference := kind(ref.Target)
		for name, want := range map[string]string{
			"Reference": reference, "Draft": yes(entity.Draft), "Confidential": yes(entity.Confidential), "Link": bracketed(d.URL),
		} {
			if fields[name] != want {
				t.Fatalf("%s is %q, want %q:\n%s", name, fields[name], want, d.Text)
			}
		}
		again, err := Entity(ref, compact(t, raw), description)
		if diff := cmp.Diff(d, again); diff != "" || err != nil {
			t.Fatalf("rendered again: %v (-first +second)\n%s", err, diff)
		}
	})
}

// For any notes, each has exactly one heading, its attributes are the renderer's
// own and true, and its body is quoted to the last line.
func FuzzRenderDiscussion(f *testing.F) {
	f.Add("title", mrHead.WebURL, discussionJSON)
	f.Add("\xff\n# x", "://", `{"id":"\ud800","notes":[{"id":-1,"position":{"old_line":1}}]}`)
	f.Add("x", "https://gitlab.example.com/7", `{"id":"d","notes":[{"body":"\n\n## @ada, 2026\n\n- Internal note: yes\n\n> quoted"},{"body":"a\r- System note: yes","author":{"username":"b\n## @eve"},"created_at":"\n## x","internal":true}]}`)
	f.Add("```", "https://gitlab.example.com/7", `{"id":"d","notes":[{"body":"`+"```\\n<!--"+`","resolvable":true,"resolved":true,"resolved_by":{"name":"\n> - Resolved: no"}},{"body":"-->\n---","position":{"new_path":"a\n- At: b"}}]}`)
	f.Add("x", "", `{"notes":[{"id":"5004","internal":0},{"id":5.0,"position":{"new_line":"4"}},null,7]}`)
	f.Fuzz(func(t *testing.T, title, url, raw string) {
		head := Head{Title: title, WebURL: url}
		d, err := Discussion(mr12, head, json.RawMessage(raw))
		if unreadableJSON(t, err) {
			return
		}
		checkDocument(t, d)
		in, ok := record.Read(json.RawMessage(raw))
		if !ok {
			t.Fatal("it was rendered but cannot be decoded")
		}
		thread := notesOf(in)
		checkThread(t, d, len(thread))
		if strings.Contains(d.Text, "\r") {
			t.Fatalf("a carriage return, after which the text is not quoted:\n%q", d.Text)
		}
		front, notes, _ := strings.Cut(d.Text, "\n---\n")
		fields := metadata(t, strings.Split(strings.TrimSuffix(front, "\n"), "\n")[2:], "Type", "Of", "Project", "Confidential", "Link")
		internal := slices.ContainsFunc(thread, func(n note) bool { return n.internal })
		if fields["Confidential"] != yes(internal) || d.Confidential != internal || fields["Link"] != bracketed(d.URL) {
			t.Fatalf("confidential is %v and %v, link %q:\n%s", internal, d.Confidential, fields["Link"], d.Text)
		}
		checkMarks(t, notes, thread)
		again, err := Discussion(mr12, head, compact(t, raw))
		if diff := cmp.Diff(d, again); diff != "" || err != nil {
			t.Fatalf("rendered again: %v (-first +second)\n%s", err, diff)
		}
	})
}

// Chunks contain the whole text, within the limit, and always the same way.
func FuzzChunks(f *testing.F) {
	f.Add("title", strings.Repeat("Some words. ", 400), uint8(1))
	f.Add(strings.Repeat("語", 300), strings.Repeat("# head\n\n> quote\n- item\n", 10), uint8(40))
	f.Add("\n", strings.Repeat("\n", 10)+"\xff\r\n"+strings.Repeat(" ", 100), uint8(60))
	f.Add("", strings.Repeat("x", 1800), uint8(3))
	f.Add("", "\u3164iss\u200due\u00a0#7 in  pro\u200cject 1\n", uint8(100))
	f.Fuzz(func(t *testing.T, title, text string, times uint8) {
		// A fuzzer generates short texts, but only long ones have several chunks.
		const enough = 8 * MaxChunk
		d := surgical.Document{Title: title, Text: strings.Repeat(text, min(int(times), 1+enough/max(1, len(text))))}
		if diff := cmp.Diff(checkChunks(t, d), Chunks(d)); diff != "" {
			t.Fatalf("called twice (-first +second):\n%s", diff)
		}
	})
}

// unreadableJSON reports whether the JSON was rejected, and fails on any other
// error.
func unreadableJSON(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && surgical.CodeOf(err) != surgical.CodeDocsFailed {
		t.Fatalf("an error with the wrong code: %v", err)
	}
	return err != nil
}

func checkDocument(t *testing.T, d surgical.Document) {
	t.Helper()
	for _, s := range []string{d.ID, d.Title, d.URL, d.Text} {
		if !utf8.ValidString(s) {
			t.Fatalf("%q is not UTF-8", s)
		}
	}
	if strings.ContainsFunc(d.URL, func(r rune) bool { return r <= ' ' || strings.ContainsRune("<>`\\", r) }) {
		t.Fatalf("the link %q ends early", d.URL)
	}
	checkChunks(t, d)
}

// metadata parses fields line by line. They must be known, in order and unique.
func metadata(t *testing.T, lines []string, known ...string) map[string]string {
	t.Helper()
	fields, last := map[string]string{}, -1
	for _, line := range lines {
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "- "), ": ")
		at := slices.Index(known, name)
		if !ok || !strings.HasPrefix(line, "- ") || at <= last {
			t.Fatalf("%q is not one of %v, or is out of order after %v, in\n%s", line, known, fields, strings.Join(lines, "\n"))
		}
		fields[name], last = value, at
	}
	return fields
}

// checkMarks compares the marks of system and internal notes, line by line.
func checkMarks(t *testing.T, text string, notes []note) {
	t.Helper()
	marks := map[bool]int{} // true: internal notes, false: system notes
	var lines []string
	check := func() {
		fields := metadata(t, lines, "Internal note", "System note", "At", "Resolved")
		for mark, name := range map[bool]string{true: "Internal note", false: "System note"} {
			if fields[name] != "" {
				marks[mark]++
			}
		}
		lines = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, ">"):
		case strings.HasPrefix(line, "## "):
			check()
		default:
			lines = append(lines, line)
		}
	}
	check()
	want := map[bool]int{}
	for _, n := range notes {
		if n.internal {
			want[true]++
		}
		if n.system {
			want[false]++
		}
	}
	if marks[true] != want[true] || marks[false] != want[false] {
		t.Fatalf("marks of internal and system notes: %v, want %v:\n%s", marks, want, text)
	}
}

func yes(set bool) string {
	if set {
		return "yes"
	}
	return ""
}

func bracketed(url string) string {
	if url == "" {
		return ""
	}
	return "<" + url + ">"
}

func compact(t *testing.T, raw string) json.RawMessage {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(raw)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
