// Package events has a sample of every kind of webhook delivery that GitLab
// sends, written to match GitLab's documentation. The people are fictional; the
// entities are those of the demo GitLab: project 1, issues 7, 8 and 9, merge
// request 12.
package events

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed *.json
var files embed.FS

// Sample is one delivery. Headers other than X-Gitlab-Event depend on the hook and
// on the time, so the sender sets and signs them.
type Sample struct {
	// Name is the file name without .json.
	Name string `json:"name"`
	// Event is the X-Gitlab-Event header.
	Event string `json:"event"`
	// About describes in one sentence what happened.
	About string `json:"about"`
	// Body is the payload, byte for byte.
	Body []byte `json:"-"`
}

// All returns every sample, in the order of index.json. It fails only if the
// embedded files are inconsistent.
func All() ([]Sample, error) {
	raw, err := files.ReadFile("index.json")
	if err != nil {
		return nil, fmt.Errorf("sample events: %w", err)
	}
	var samples []Sample
	if err := json.Unmarshal(raw, &samples); err != nil {
		return nil, fmt.Errorf("sample events: index: %w", err)
	}
	for i := range samples {
		if samples[i].Body, err = files.ReadFile(samples[i].Name + ".json"); err != nil {
			return nil, fmt.Errorf("sample events: %w", err)
		}
	}
	return samples, nil
}

// Named returns the sample with the name, or an error if there is none.
func Named(name string) (Sample, error) {
	samples, err := All()
	if err != nil {
		return Sample{}, err
	}
	for _, s := range samples {
		if s.Name == name {
			return s, nil
		}
	}
	return Sample{}, fmt.Errorf("there is no sample event %q", name)
}
