package events_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/events"
)

func TestAll_ListsDescribesAndLoadsEverySample(t *testing.T) {
	samples, err := events.All()
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"index.json": true}
	for _, s := range samples {
		listed[s.Name+".json"] = true
		if s.Event == "" || !strings.HasSuffix(s.About, ".") || !json.Valid(s.Body) {
			t.Errorf("%s is incomplete", s.Name)
		}
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".json") && !listed[f.Name()] {
			t.Errorf("%s is not in index.json", f.Name())
		}
	}
	if _, err := events.Named("no-such"); err == nil {
		t.Error("Named found a sample that does not exist")
	}
}
