package surgical_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// attributes parses an entity with these fields.
func attributes(t *testing.T, fields map[string]any) surgical.Attributes {
	t.Helper()
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	a, err := surgical.ParseAttributes(raw)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParseAttributes_CutsWhatIsTooLongToBeShown(t *testing.T) {
	for _, length := range []int{surgical.MaxShown - 1, surgical.MaxShown, surgical.MaxShown + 1, 1_000_000} {
		text := strings.Repeat("ä", length)
		a := attributes(t, map[string]any{"title": text, "milestone": map[string]string{"title": text}, "author": map[string]string{"username": text},
			"assignees": []any{map[string]string{"name": text}}, "web_url": text})
		if length <= surgical.MaxShown {
			if a.Title != text || a.Milestone != text || a.Author.Username != text || a.Assignees[0].Name != text || a.WebURL != text || a.LeftOut != nil {
				t.Errorf("%d characters are cut: %v", length, a.LeftOut)
			}
			continue
		}
		for _, shown := range []string{a.Title, a.Milestone, a.Author.Username, a.Assignees[0].Name} {
			if utf8.RuneCountInString(shown) != surgical.MaxShown+1 || !strings.HasSuffix(shown, "ä…") {
				t.Errorf("of %d characters %d are shown", length, utf8.RuneCountInString(shown))
			}
		}
		want := []string{
			fmt.Sprintf("title is cut: 1000 of %d characters are shown", length), fmt.Sprintf("milestone is cut: 1000 of %d characters are shown", length),
			"web_url is left out: it has more than 1000 characters",
		}
		if diff := cmp.Diff(want, a.LeftOut); diff != "" || a.WebURL != "" {
			t.Errorf("left out (-want +got):\n%s", diff)
		}
	}
}

func TestParseAttributes_CutsTheListOfLabels(t *testing.T) {
	const size = 256
	for _, n := range []int{surgical.MaxShownList/size - 1, surgical.MaxShownList / size, surgical.MaxShownList/size + 1, 3000} {
		labels := make([]string, n)
		for i := range labels {
			labels[i] = fmt.Sprintf("%0256d", i)
		}
		a := attributes(t, map[string]any{"labels": labels})
		if n <= surgical.MaxShownList/size {
			if diff := cmp.Diff(labels, a.Labels); diff != "" || a.LeftOut != nil {
				t.Errorf("%d labels are cut: %v", n, a.LeftOut)
			}
			continue
		}
		want := append(labels[:128:128], fmt.Sprintf("… and %d more labels", n-128))
		if diff := cmp.Diff(want, a.Labels); diff != "" {
			t.Errorf("%d labels (-want +got):\n%s", n, diff)
		}
		if diff := cmp.Diff([]string{fmt.Sprintf("labels are cut: 128 of %d are shown", n)}, a.LeftOut); diff != "" {
			t.Errorf("left out (-want +got):\n%s", diff)
		}
	}
}

func TestParseAttributes_CutsTheListsOfPeople(t *testing.T) {
	const size = 16
	for _, n := range []int{surgical.MaxShownList/size - 1, surgical.MaxShownList / size, surgical.MaxShownList/size + 1, 5000} {
		users, want := make([]surgical.User, n), make([]map[string]string, n)
		for i := range users {
			users[i] = surgical.User{Username: fmt.Sprintf("%08d", i), Name: "somebody"}
			want[i] = map[string]string{"username": users[i].Username, "name": users[i].Name}
		}
		a := attributes(t, map[string]any{"assignees": want, "reviewers": want})
		var leftOut []string
		if shown := surgical.MaxShownList / size; n > shown {
			users = append(users[:shown:shown], surgical.User{Username: fmt.Sprintf("… and %d more", n-shown)})
			leftOut = []string{fmt.Sprintf("assignees are cut: 2048 of %d are shown", n), fmt.Sprintf("reviewers are cut: 2048 of %d are shown", n)}
		}
		if !slices.Equal(users, a.Assignees) || !slices.Equal(users, a.Reviewers) {
			t.Errorf("of %d people, %d and %d are shown", n, len(a.Assignees), len(a.Reviewers))
		}
		if diff := cmp.Diff(leftOut, a.LeftOut); diff != "" {
			t.Errorf("left out (-want +got):\n%s", diff)
		}
	}
	if a := attributes(t, map[string]any{"assignees": []any{map[string]string{}, map[string]string{"name": ""}}}); len(a.Assignees) != 0 {
		t.Errorf("nobody is shown as %v", a.Assignees)
	}
}

func TestParseAttributes_KeepsOnlyTimesThatAreShort(t *testing.T) {
	const good = "2026-05-28T06:17:50.386Z"
	a := attributes(t, map[string]any{"created_at": good, "closed_at": good, "merged_at": good, "due_date": "2026-06-01"})
	if a.CreatedAt != good || a.ClosedAt != good || a.MergedAt != good || a.DueDate != "2026-06-01" || a.LeftOut != nil {
		t.Errorf("%+v", a)
	}
	const cut = "created_at is left out: it is not a time"
	for _, odd := range []string{"yesterday", strings.Repeat("9", 600_000), "2026-05-28T06:17:50." + strings.Repeat("0", 600_000) + "Z"} {
		a := attributes(t, map[string]any{"created_at": odd, "closed_at": odd, "merged_at": odd, "due_date": odd})
		if a.CreatedAt != "" || a.LeftOut[len(a.LeftOut)-1] != cut {
			t.Errorf("created at %.40q, left out %v", a.CreatedAt, a.LeftOut)
		}
		for _, shown := range []string{a.ClosedAt, a.MergedAt, a.DueDate} {
			if utf8.RuneCountInString(shown) > surgical.MaxShown+1 {
				t.Errorf("%d bytes are shown of a date", len(shown))
			}
		}
	}
}
