package gitlab_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestLoad_RestoresAllThatTheAPIShows(t *testing.T) {
	h := newHooked(t, fakegitlab.Options{AutoDisable: true})
	h.call(t, "POST", "groups/demo/hooks", `{"url":"http://127.0.0.1:1/","token":"sample","issues_events":true}`, 201)
	h.AddProject(2, "demo/two")
	h.AddProject(1, "demo/renamed")
	h.SwitchOff(2, false, true)
	h.Fill(2, 1, 3)
	h.Relabel(fakegitlab.IssueRef(7), []string{"new"}, nil)
	h.AddDiscussion(fakegitlab.MergeRequestRef(12), fakegitlab.Note{Body: "One."}, fakegitlab.Note{Body: "Two.", Internal: true})
	h.Move(fakegitlab.IssueRef(8), 2)
	h.Delete(fakegitlab.IssueRef(9))
	for range 5 {
		h.Send(t.Context(), fakegitlab.IssueRef(7), false)
	}
	id := h.Hooks(1)[0].ID
	var kept bytes.Buffer
	if err := h.Save(&kept); err != nil {
		t.Fatal(err)
	}
	again := &hooked{now: h.now}
	again.Server = fakegitlab.New(fakegitlab.Options{Clock: func() time.Time { return h.now }, Empty: true, AutoDisable: true})
	if err := again.Load(bytes.NewReader(kept.Bytes())); err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{
		"projects/1": 200, "projects/demo%2Ftwo": 200, "projects/1/hooks": 200, fmt.Sprintf("projects/1/hooks/%d/events", id): 200, "groups/demo/hooks": 200,
		"groups/demo/projects": 200, "projects/1/issues": 200, "projects/2/issues": 200, "projects/1/merge_requests": 200, "projects/2/merge_requests": 200,
		"projects/1/issues/7": 200, "projects/1/issues/7/resource_label_events": 200, "projects/1/issues/8": 200, "projects/1/issues/9": 404,
		"projects/1/merge_requests/12": 200, "projects/1/merge_requests/12/discussions": 200, "projects/2/issues/4/discussions": 200,
	} {
		if diff := cmp.Diff(h.call(t, "GET", path, "", status), again.call(t, "GET", path, "", status)); diff != "" {
			t.Errorf("%s (-saved +loaded):\n%s", path, diff)
		}
	}
	if diff := cmp.Diff(h.HookTokens(1), again.HookTokens(1)); diff != "" {
		t.Errorf("tokens (-saved +loaded):\n%s", diff)
	}
	note := func(s *fakegitlab.Server) int64 {
		ref := fakegitlab.IssueRef(7)
		s.AddDiscussion(ref, fakegitlab.Note{Body: "Later."})
		all := s.Discussions(ref)
		return all[len(all)-1].Notes[0].ID
	}
	if want, got := note(h.Server), note(again.Server); got != want {
		t.Errorf("the next note has the id %d, want %d", got, want)
	}
	if again.Load(strings.NewReader("{")) == nil || !again.Has(fakegitlab.IssueRef(7)) {
		t.Error("what cannot be read replaced what was there")
	}
}
