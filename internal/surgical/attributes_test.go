package surgical_test

import (
	"encoding/json"
	"fmt"
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
	for _, n := range []int{surgical.MaxLabelBytes/size - 1, surgical.MaxLabelBytes / size, surgical.MaxLabelBytes/size + 1, 3000} {
		labels := make([]string, n)
		for i := range labels {
			labels[i] = fmt.Sprintf("%0256d", i)
		}
		a := attributes(t, map[string]any{"labels": labels})
		if n <= surgical.MaxLabelBytes/size {
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
