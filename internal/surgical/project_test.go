package surgical_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestParseProjectPath_AcceptsWhatGitLabAccepts(t *testing.T) {
	for path, valid := range map[string]bool{
		"group/project": true, "group/sub.group/deep/pro-ject_1.go": true, "G/P": true, ".x/_y": true, "a/.b": true, "1/2": true,
		"": false, "project": false, "/group/project": false, "group/project/": false, "group//project": false, "group/pro ject": false,
		"group/-project": false, "group/..": false, "./group": false, "group/project#7": false, "grüppe/project": false, "group/pro\x00ject": false,
		"g/" + strings.Repeat("p", surgical.MaxProjectPath-2): true, "g/" + strings.Repeat("p", surgical.MaxProjectPath-1): false,
	} {
		got, err := surgical.ParseProjectPath(path)
		if valid != (err == nil) || valid && got != path {
			t.Errorf("%.40q: %q, %v; want valid %v", path, got, err, valid)
		}
	}
}

func TestProjectPath_IsWhatGitLabGaveWithTheEntity(t *testing.T) {
	for _, c := range []struct {
		target surgical.Target
		entity string
		want   string
	}{
		{surgical.Target{Type: surgical.Issue, IID: 7}, `{"iid":7,"references":{"short":"#7","full":"group/sub.x/Project#7"}}`, "group/sub.x/Project"},
		{surgical.Target{Type: surgical.MergeRequest, IID: 12}, `{"references":{"full":"group/project!12"}}`, "group/project"},
		{surgical.Target{Type: surgical.Issue, IID: 7}, `{"references":{"full":"group/project#71"}}`, ""},
		{surgical.Target{Type: surgical.Issue, IID: 7}, `{"references":{"full":"group/project!7"}}`, ""},
		{surgical.Target{Type: surgical.Issue, IID: 7}, `{"references":{"full":"#7"}}`, ""},
		{surgical.Target{Type: surgical.Issue, IID: 7}, `{"references":{"full":7}}`, ""},
		{surgical.Target{Type: surgical.Issue, IID: 7}, `{"references":null}`, ""},
		{surgical.Target{Type: surgical.Issue, IID: 7}, `{"references":"x"}`, ""},
		{surgical.Target{Type: surgical.Issue, IID: 7}, `{}`, ""},
		{surgical.Target{Type: surgical.Issue, IID: 7}, ``, ""},
	} {
		snap := surgical.Snapshot{Ref: surgical.EntityRef{ProjectID: 1, Target: c.target}, Entity: []byte(c.entity)}
		if got := snap.ProjectPath(); got != c.want {
			t.Errorf("%s: %q, want %q", c.entity, got, c.want)
		}
	}
}

func TestHide_NeverLowersAndEndsWhatWasCompleteBefore(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 2, 6, minute, 0, 0, time.UTC) }
	complete := surgical.Project{ID: 1, CompleteAsOf: at(30), CompleteSince: at(10)}
	for name, c := range map[string]struct {
		project surgical.Project
		at      time.Time
		want    surgical.Project
	}{
		"nothing hides":                   {complete, time.Time{}, complete},
		"before the listing":              {complete, at(9), surgical.Project{ID: 1, HiddenAt: at(9), CompleteAsOf: at(30), CompleteSince: at(10)}},
		"when the listing began":          {complete, at(10), surgical.Project{ID: 1, HiddenAt: at(10)}},
		"after the listing":               {complete, at(40), surgical.Project{ID: 1, HiddenAt: at(40)}},
		"earlier than it is hidden":       {surgical.Project{ID: 1, HiddenAt: at(8)}, at(7), surgical.Project{ID: 1, HiddenAt: at(8)}},
		"hidden itself since the listing": {surgical.Project{HiddenAt: at(11), CompleteAsOf: at(30), CompleteSince: at(10)}, time.Time{}, surgical.Project{HiddenAt: at(11)}},
	} {
		if diff := cmp.Diff(c.want, c.project.Hide(c.at)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
