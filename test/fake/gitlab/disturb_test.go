package gitlab_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// spoilt requests each of the lists so many times, and returns the requests
// whose responses were not the truth.
func spoilt(t *testing.T, d fakegitlab.Disturbance, paths []string, times int) (requests []string, counts map[string]int) {
	t.Helper()
	server := fakegitlab.New(fakegitlab.Options{})
	server.Disturb(d)
	for n := range times {
		for _, path := range paths {
			w := httptest.NewRecorder()
			server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v4/projects/1/"+path, nil))
			if w.Code != http.StatusOK {
				requests = append(requests, fmt.Sprintf("%s %d: %d", path, n, w.Code))
			}
		}
	}
	slices.Sort(requests)
	return requests, server.Disturbed()
}

func TestASeedSpoilsTheSameShareOfTheSameRequestsInAnyOrder(t *testing.T) {
	const times = 2000
	paths := []string{"issues/7", "issues/7/discussions", "issues/8", "merge_requests/12/resource_label_events"}
	d := fakegitlab.Disturbance{Seed: 7, Share: 0.02, Faults: []fakegitlab.Fault{{Status: 429}, {Status: 500}, {Status: 503}}}
	first, counts := spoilt(t, d, paths, times)
	if share := float64(len(first)) / float64(times*len(paths)); share < 0.015 || share > 0.025 {
		t.Errorf("a share of %v is spoilt, want 0.02", share)
	}
	if sum := counts["429"] + counts["500"] + counts["503"]; sum != len(first) || min(counts["429"], counts["500"], counts["503"]) < sum/6 {
		t.Errorf("%d requests are spoilt, by %v", len(first), counts)
	}
	slices.Reverse(paths)
	second, _ := spoilt(t, d, paths, times)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("in another order others are spoilt (-first +second):\n%s", diff)
	}
	d.Seed = 8
	if other, _ := spoilt(t, d, paths, times); slices.Equal(first, other) {
		t.Error("another seed spoils the same requests")
	}
	if none, counts := spoilt(t, fakegitlab.Disturbance{}, paths, 10); len(none) > 0 || len(counts) > 0 {
		t.Errorf("the zero disturbance spoils %v", none)
	}
}

func TestTheTruthIsWhatTheAPIShows(t *testing.T) {
	server, url := serve(t, fakegitlab.Options{})
	ref := fakegitlab.MergeRequestRef(12)
	truth, err := server.Truth(ref)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"": truth.Entity, "/discussions": truth.Discussions}
	for kind, events := range truth.Events {
		want["/"+string(kind)+"s"] = events
	}
	if lists := slices.Sorted(maps.Keys(want)); len(lists) != 5 || len(truth.Discussions) == 0 || len(truth.Events[surgical.KindLabelEvent]) == 0 {
		t.Errorf("lists %v, %d discussions", lists, len(truth.Discussions))
	}
	for path, value := range want {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if _, body := do(t, "GET", url+"/api/v4/projects/1/merge_requests/12"+path+"?per_page=100"); body != string(raw) {
			t.Errorf("%s shows\n%s\nthe truth is\n%s", path, body, raw)
		}
	}
}
