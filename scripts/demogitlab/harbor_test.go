package main

import (
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/test/corpus"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestHarbor_FillsGitLabWithTheWholeCorpus(t *testing.T) {
	state := fakegitlab.NewState(time.Now)
	if err := harbor(state); err != nil {
		t.Fatal(err)
	}
	entities, err := corpus.Harbor()
	if err != nil {
		t.Fatal(err)
	}
	if len(entities) < 280 {
		t.Errorf("%d entities", len(entities))
	}
	for _, e := range entities {
		if got := state.Discussions(e.Ref()); len(got) != len(e.Discussions) {
			t.Errorf("%s has %d discussions, want %d", e.Key(), len(got), len(e.Discussions))
		}
		if at := state.UpdatedAt(e.Ref()); at.Before(e.CreatedAt) || !at.Equal(last(e)) {
			t.Errorf("%s was updated at %s, want %s", e.Key(), at, last(e))
		}
	}
}
