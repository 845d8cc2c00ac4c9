package render

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	issue7 = surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	mr12   = surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.MergeRequest, IID: 12}}
)

const issueJSON = `{
  "id": 9001, "iid": 7, "project_id": 1, "title": "Cache serves *old* answers after a failover #2",
  "state": "closed", "labels": ["priority::high", "bug", "cache"], "issue_type": "incident",
  "milestone": {"id": 3, "title": "1.4"}, "author": {"id": 5, "username": "ada", "name": "Ada Example"},
  "assignees": [{"username": "linus_q", "name": "Linus Q"}, {"username": "grace", "name": "Grace H"}],
  "created_at": "2026-01-02T16:04:05.678+01:00", "updated_at": "2026-02-03T04:05:06.000Z",
  "closed_at": "2026-01-09T08:00:00.000Z", "due_date": "2026-01-15", "confidential": false,
  "web_url": "https://gitlab.example.com/lore/hook/-/issues/7", "user_notes_count": 4
}`

const issueDescription = "# What happens\n\nAfter a failover the cache serves answers of *yesterday*.\n\n---\n\n- State: opened\n\n```\nno closing fence"

const mrJSON = `{
  "iid": 12, "project_id": 1, "title": "Drop the cache when the primary changes", "state": "opened", "draft": true,
  "labels": [], "author": {"username": "grace", "name": "Grace H"}, "assignees": null,
  "reviewers": [{"username": "ada", "name": "Ada Example"}], "milestone": null,
  "source_branch": "grace/drop-cache", "target_branch": "main",
  "created_at": "2026-01-03T10:00:00.000Z", "merged_at": null, "closed_at": null,
  "web_url": "https://gitlab.example.com/lore/hook/-/merge_requests/12"
}`

const discussionJSON = `{
  "id": "6a9c1750b37d513a43987b574953fceb50b03ce7", "individual_note": false, "notes": [
    {"id": 103, "body": "It never closes:\r\n` + "```" + `\r\n## @mallory, 2026-01-01T00:00:00Z\r\n", "author": {"username": "ada", "name": "Ada Example"},
     "created_at": "2026-01-04T09:30:00.000Z", "system": false, "internal": false, "resolvable": true, "resolved": true,
     "resolved_by": {"username": "grace", "name": "Grace H"}},
    {"id": 102, "body": "Is this *ever* empty?\n\n- here\n- or there", "author": {"username": "grace", "name": "Grace H"},
     "created_at": "2026-01-04T09:00:00.000Z", "system": false, "internal": false, "resolvable": true, "resolved": false,
     "position": {"position_type": "text", "old_path": "cache.go", "new_path": "internal/cache.go", "old_line": null, "new_line": 42}},
    {"id": 104, "body": "The customer is Example Corp.", "author": null, "created_at": "2026-01-04T09:30:00.000Z", "internal": true},
    {"id": 105, "body": "changed the milestone to %3", "author": {"username": "ada"}, "created_at": "2026-01-05T00:00:00Z", "system": true}
  ]
}`

var mrHead = Head{Title: "Drop the cache when the primary changes", WebURL: "https://gitlab.example.com/lore/hook/-/merge_requests/12"}

func mustEntity(t testing.TB, ref surgical.EntityRef, raw, description string) surgical.Document {
	t.Helper()
	d, err := Entity(ref, json.RawMessage(raw), description)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustDiscussion(t testing.TB, ref surgical.EntityRef, head Head, raw string) surgical.Document {
	t.Helper()
	d, err := Discussion(ref, head, json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRender_MatchesTheGoldenFiles(t *testing.T) {
	cases := []struct {
		name string
		doc  surgical.Document
		want surgical.Document
	}{
		{"issue", mustEntity(t, issue7, issueJSON, issueDescription), surgical.Document{
			ID: "entity", Title: "Cache serves *old* answers after a failover #2", URL: "https://gitlab.example.com/lore/hook/-/issues/7",
		}},
		{"merge_request", mustEntity(t, mr12, mrJSON, ""), surgical.Document{
			ID: "entity", Title: mrHead.Title, URL: mrHead.WebURL,
		}},
		{"discussion", mustDiscussion(t, mr12, mrHead, discussionJSON), surgical.Document{
			ID: "discussion#6a9c1750b37d513a43987b574953fceb50b03ce7", Title: mrHead.Title, URL: mrHead.WebURL + "#note_102", Confidential: true,
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join("testdata", c.name+".md")
			if *update {
				if err := os.WriteFile(path, []byte(c.doc.Text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			want.Text = string(golden)
			if diff := cmp.Diff(sealed(want), c.doc); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRender_IgnoresUpdatedAtAndCounters(t *testing.T) {
	t.Run("entity", func(t *testing.T) {
		a := mustEntity(t, issue7, issueJSON, issueDescription)
		changed := strings.NewReplacer(`"updated_at": "2026-02-03`, `"updated_at": "2027-02-03`, `"user_notes_count": 4`, `"user_notes_count": 5, "upvotes": 9`).Replace(issueJSON)
		if diff := cmp.Diff(a, mustEntity(t, issue7, changed, issueDescription)); diff != "" {
			t.Errorf("document (-want +got):\n%s", diff)
		}
	})
	t.Run("discussion", func(t *testing.T) {
		a := mustDiscussion(t, mr12, mrHead, discussionJSON)
		changed := strings.ReplaceAll(discussionJSON, `"created_at"`, `"updated_at": "2027-01-01T00:00:00Z", "created_at"`)
		if diff := cmp.Diff(a, mustDiscussion(t, mr12, mrHead, changed)); diff != "" {
			t.Errorf("document (-want +got):\n%s", diff)
		}
	})
}

func TestDiscussion_DependsOnlyOnTheHeadOfItsEntity(t *testing.T) {
	a, err := surgical.ParseAttributes(json.RawMessage(issueJSON))
	if err != nil {
		t.Fatal(err)
	}
	before := mustDiscussion(t, issue7, HeadOf(a), discussionJSON)
	relabelled := a
	relabelled.Labels, relabelled.State, relabelled.Assignees, relabelled.Milestone = []string{"other"}, "opened", nil, ""
	if diff := cmp.Diff(before, mustDiscussion(t, issue7, HeadOf(relabelled), discussionJSON)); diff != "" {
		t.Errorf("a relabelled issue re-renders its discussions:\n%s", diff)
	}
	for _, head := range []Head{
		{Title: "another", WebURL: a.WebURL}, {Title: a.Title, WebURL: a.WebURL + "0"},
	} {
		if got := mustDiscussion(t, issue7, head, discussionJSON); got.Hash == before.Hash {
			t.Errorf("head %+v gave the same hash", head)
		}
	}
}

func TestRender_MarksConfidentialDocuments(t *testing.T) {
	internal := `{"id":"d","notes":[{"id":1},{"id":2,"internal":true}]}`
	older := `{"id":"d","notes":[{"id":1,"confidential":true}]}`
	public := `{"id":"d","notes":[{"id":1,"internal":false,"confidential":null}]}`
	for _, c := range []struct {
		name string
		doc  surgical.Document
		want bool
	}{
		{"a public discussion is public", mustDiscussion(t, issue7, Head{}, public), false},
		{"an internal note makes its discussion confidential", mustDiscussion(t, issue7, Head{}, internal), true},
		{"so does a note with the older field", mustDiscussion(t, issue7, Head{}, older), true},
		{"a confidential entity makes its discussions confidential", mustDiscussion(t, issue7, Head{Confidential: true}, public), true},
		{"a confidential entity is confidential", mustEntity(t, issue7, `{"confidential":true}`, ""), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.doc.Confidential != c.want {
				t.Errorf("Confidential = %v, want %v", c.doc.Confidential, c.want)
			}
			if shown := strings.Contains(c.doc.Text, "- Confidential: yes\n"); shown != c.want {
				t.Errorf("the text shows it: %v, want %v:\n%s", shown, c.want, c.doc.Text)
			}
		})
	}
}

func TestRender_RejectsUnreadableJSONForGood(t *testing.T) {
	for name, raw := range map[string]string{"empty": "", "cut off": `{"id":"d","notes":[{"bo`, "a list": `[]`, "null": "null"} {
		_, entityErr := Entity(issue7, json.RawMessage(raw), "")
		_, discussionErr := Discussion(issue7, Head{}, json.RawMessage(raw))
		for _, err := range []error{entityErr, discussionErr} {
			var e *surgical.Error
			if !errors.As(err, &e) || e.Code != surgical.CodeDocsFailed || e.Retryable {
				t.Errorf("%s: got %v, want a permanent docs_failed", name, err)
			}
		}
	}
	// A guess could show what is confidential.
	for _, confidential := range []string{"0", "1", `"true"`, "{}"} {
		if _, err := Entity(issue7, json.RawMessage(`{"confidential":`+confidential+`}`), ""); surgical.CodeOf(err) != surgical.CodeDocsFailed {
			t.Errorf("confidential is %s: got %v", confidential, err)
		}
	}
}

// One odd field costs nothing but itself, and the document says what it lacks.
func TestDiscussion_LeavesOutOnlyWhatIsOdd(t *testing.T) {
	sound := map[string]any{
		"id": 5004, "body": "Said.", "author": map[string]any{"username": "ada", "name": "Ada"}, "created_at": "2026-01-04T09:30:00Z",
		"position": map[string]any{"new_path": "a.go", "old_line": 3, "new_line": 4},
	}
	whole := "\n## @ada (Ada), 2026-01-04T09:30:00Z\n\n- At: a.go:4\n\n> Said.\n"
	for _, c := range []struct {
		name, field string
		value       any
		text        string
		anchor      string
		leftOut     []string
	}{
		{"id as text", "id", "5004", whole, "#note_5004", nil},
		{"id as a float", "id", json.RawMessage("5004.0"), whole, "#note_5004", nil},
		{"id beyond int64", "id", json.RawMessage("18446744073709551615"), whole, "#note_18446744073709551615", nil},
		{"id as an object", "id", map[string]any{"n": 1}, whole, "", []string{"notes[0].id is an object"}},
		{"id as a word", "id", "abc", whole, "", nil},
		{"lines as text", "position", map[string]any{"new_path": "a.go", "old_line": "3", "new_line": "4"}, whole, "#note_5004", nil},
		{"a line as a list", "position", map[string]any{"new_path": "a.go", "new_line": []int{4}},
			strings.Replace(whole, "a.go:4", "a.go", 1), "#note_5004", []string{"notes[0].position.new_line is a list"}},
		{"a position as text", "position", "a.go:4", strings.Replace(whole, "- At: a.go:4\n\n", "", 1), "#note_5004", []string{"notes[0].position is a text"}},
		{"an author as text", "author", "ada", strings.Replace(whole, "@ada (Ada)", "unknown author", 1), "#note_5004", []string{"notes[0].author is a text"}},
		{"a name as a number", "author", map[string]any{"username": "ada", "name": 7}, strings.Replace(whole, " (Ada)", "", 1), "#note_5004", []string{"notes[0].author.name is a number"}},
		{"a date as a number", "created_at", 1767519000, strings.Replace(whole, ", 2026-01-04T09:30:00Z", "", 1), "#note_5004", []string{"notes[0].created_at is a number"}},
		{"a body as a list", "body", []string{"Said."}, strings.Replace(whole, "\n> Said.\n", "", 1), "#note_5004", []string{"notes[0].body is a list"}},
		{"a flag as a number", "system", 1, whole, "#note_5004", []string{"notes[0].system is a number"}},
		{"null everywhere it may be", "system", nil, whole, "#note_5004", nil},
		{"internal as a number", "internal", 0, "", "", []string{"notes[0].internal is a number, so the note is left out"}},
		{"internal in two ways", "confidential", "no", "", "", []string{"notes[0].confidential is a text, so the note is left out"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			note := maps.Clone(sound)
			note[c.field] = c.value
			raw, err := json.Marshal(map[string]any{"id": "d", "notes": []any{note}})
			if err != nil {
				t.Fatal(err)
			}
			d := mustDiscussion(t, mr12, Head{WebURL: mrHead.WebURL}, string(raw))
			_, text, _ := strings.Cut(d.Text, "\n---\n")
			if text != c.text || d.URL != mrHead.WebURL+c.anchor || d.Confidential {
				t.Errorf("%s, confidential %v: %q, want %q", d.URL, d.Confidential, text, c.text)
			}
			if diff := cmp.Diff(c.leftOut, d.LeftOut); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiscussion_KeepsTheNotesBesideAnOddOne(t *testing.T) {
	d := mustDiscussion(t, issue7, Head{}, `{"id":"d","notes":[{"id":1,"body":"one"},{"id":2,"body":"hush","internal":"yes"},null,"three",{"id":4,"body":"four"}]}`)
	if !strings.Contains(d.Text, "> one\n") || !strings.Contains(d.Text, "> four\n") || strings.Contains(d.Text, "hush") {
		t.Errorf("the text is\n%s", d.Text)
	}
	want := []string{"notes[2] is null", "notes[3] is a text", "notes[1].internal is a text, so the note is left out"}
	if diff := cmp.Diff(want, d.LeftOut); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	// A field that says that the note is internal outweighs one that does not tell.
	if d := mustDiscussion(t, issue7, Head{}, `{"id":"d","notes":[{"body":"hush","internal":true,"confidential":0}]}`); !d.Confidential || !strings.Contains(d.Text, "hush") {
		t.Errorf("confidential %v:\n%s", d.Confidential, d.Text)
	}
	if d := mustDiscussion(t, issue7, Head{}, `{"notes":7}`); len(d.LeftOut) != 1 || !strings.HasPrefix(d.ID, "discussion#unnamed-") {
		t.Errorf("%s, left out %v", d.ID, d.LeftOut)
	}
}

func TestEntity_LeavesOutOnlyWhatIsOdd(t *testing.T) {
	d := mustEntity(t, mr12, `{"title":{"text":"x"},"state":7,"labels":["bug",7,{"name":"ui"},null,{"id":1}],"author":"ada","assignees":[{"username":"bob"},"x"],
		"milestone":"1.4","draft":0,"work_in_progress":0,"created_at":1767519000,"web_url":false,"source_branch":[]}`, "Text")
	if d.Title != "merge request !12" || !strings.Contains(d.Text, "- Labels: bug, ui\n- Assignees: @bob\n\n---\n\nText\n") {
		t.Errorf("title %q, text\n%s", d.Title, d.Text)
	}
	want := []string{
		"title is an object", "state is a number", "web_url is a boolean", "labels[1] is a number", "labels[3] is null", "author is a text", "assignees[1] is a text",
		"created_at is a number", "draft is a number", "source_branch is a list", "milestone is a text",
	}
	if diff := cmp.Diff(want, d.LeftOut); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}

func TestRender_AcceptsMissingAndUnknownFields(t *testing.T) {
	d := mustEntity(t, mr12, `{"novelty":{"deep":[1]},"author":null,"milestone":null,"labels":null}`, "")
	if d.Title != "merge request !12" || d.URL != "" {
		t.Errorf("got title %q, URL %q", d.Title, d.URL)
	}
	d = mustDiscussion(t, issue7, Head{WebURL: "https://gitlab.example.com/x"}, `{"id":"d","notes":[{"position":{}},{"position":{"old_path":"gone.go","old_line":3}}]}`)
	if d.URL != "https://gitlab.example.com/x" {
		t.Errorf("URL = %q, want no anchor without a note id", d.URL)
	}
	if !strings.Contains(d.Text, "- At: gone.go:3 (removed line)\n") {
		t.Errorf("the old side of a diff is missing:\n%s", d.Text)
	}
	if d = mustDiscussion(t, issue7, Head{}, `{"id":"d","notes":null}`); !strings.HasSuffix(d.Text, "---\n") {
		t.Errorf("a discussion without notes: %q", d.Text)
	}
}

func TestSafeURL_AcceptsOnlyWebLinks(t *testing.T) {
	for u, want := range map[string]string{
		"https://gitlab.example.com/a?b=c#d": "https://gitlab.example.com/a?b=c#d", "javascript:alert(1)": "", "/relative": "",
		"https://x/\n# y": "", "https://x/?<script>": "", "https://x/a b": "", "": "",
	} {
		if got := safeURL(u); got != want {
			t.Errorf("safeURL(%q) = %q, want %q", u, got, want)
		}
	}
}

func TestQuote_MarksEveryLine(t *testing.T) {
	for body, want := range map[string]string{
		"a\r# b": "> a\n> # b\n", "a\r\n\r\nb\n\n": "> a\n>\n> b\n", "    code": ">     code\n", "\xff": "> \uFFFD\n", " \n": "", "": "",
	} {
		if got := quote(body); got != want {
			t.Errorf("quote(%q) = %q, want %q", body, got, want)
		}
	}
}

func TestSealed_HashesEveryField(t *testing.T) {
	base := sealed(surgical.Document{ID: "a", Title: "b", URL: "c", Text: "d"})
	seen := map[string]surgical.Document{base.Hash: base}
	for _, d := range []surgical.Document{
		{ID: "x", Title: "b", URL: "c", Text: "d"}, {ID: "a", Title: "x", URL: "c", Text: "d"},
		{ID: "a", Title: "b", URL: "x", Text: "d"}, {ID: "a", Title: "b", URL: "c", Text: "x"},
		{ID: "a", Title: "b", URL: "c", Text: "d", Confidential: true},
		{ID: "ab", Title: "", URL: "c", Text: "d"}, {ID: "a", Title: "bc", URL: "", Text: "d"},
	} {
		d = sealed(d)
		if other, ok := seen[d.Hash]; ok {
			t.Errorf("%+v has the hash of %+v", d, other)
		}
		seen[d.Hash] = d
	}
}

func TestEntity_RendersAMegabyteOfDescription(t *testing.T) {
	long := strings.Repeat("Ünïcode and a *line*.\n", 50_000)
	d := mustEntity(t, issue7, issueJSON, long)
	if !strings.HasSuffix(d.Text, "\n\n---\n\n"+long) {
		t.Error("the description is not the end of the text")
	}
	for _, c := range Chunks(d) {
		if len([]rune(c.Text)) > MaxChunk {
			t.Fatalf("chunk %d has %d characters", c.Index, len([]rune(c.Text)))
		}
	}
}
