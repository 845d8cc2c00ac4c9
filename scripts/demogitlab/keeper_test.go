package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// serve starts a GitLab as the command does, and returns its state.
func serve(t *testing.T, file string) (*fakegitlab.Server, http.Handler) {
	t.Helper()
	gitlab := fakegitlab.New(fakegitlab.Options{Control: true})
	k := &keeper{State: gitlab.State, file: file}
	if err := k.load(); err != nil {
		t.Fatal(err)
	}
	return gitlab, k.around(gitlab)
}

func TestKeeper_ARestartedGitLabHasEveryChangeAndTheNextIDs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	ref := fakegitlab.IssueRef(7)
	last := int64(0)
	for range 3 {
		gitlab, handler := serve(t, file)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/_demo/note?project=1&type=issue&iid=7&body=more", nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		all := gitlab.Discussions(ref)
		id := all[len(all)-1].Notes[0].ID
		if id <= last {
			t.Errorf("a comment has the id %d, one before the restart had %d", id, last)
		}
		last = id
	}
	gitlab, _ := serve(t, file)
	if seeded, _ := serve(t, file+".none"); len(gitlab.Discussions(ref)) != len(seeded.Discussions(ref))+3 {
		t.Errorf("%d discussions are left of %d and 3 more", len(gitlab.Discussions(ref)), len(seeded.Discussions(ref)))
	}
}

func TestKeeper_BeginsAnewIfTheFileCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(file, []byte(`{"next_id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if gitlab, _ := serve(t, file); !gitlab.Has(fakegitlab.IssueRef(7)) {
		t.Error("there is no seed")
	}
}
