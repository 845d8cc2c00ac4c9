// Package events holds a sample of every kind of delivery that GitLab sends,
// written for Lorehook after GitLab's documented shapes. The people are
// invented, and the entities are those of the demo GitLab: project 1, issues 7,
// 8 and 9, merge request 12.
package events

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed *.json
var files embed.FS

// Sample is one delivery. Its headers other than X-Gitlab-Event depend on the
// hook and on the time: the sender makes and signs them.
type Sample struct {
	// Name is the file's name without .json.
	Name string `json:"name"`
	// Event is the X-Gitlab-Event header.
	Event string `json:"event"`
	// About says in a sentence what happened.
	About string `json:"about"`
	// Body is the payload as it is sent.
	Body []byte `json:"-"`
}

// All returns every sample, in the order of index.json.
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

// Named returns one sample.
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
