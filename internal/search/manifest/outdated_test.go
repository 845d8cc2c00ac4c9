package manifest_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestOutdated_SaysWhatTheIndexWasNotMadeWith(t *testing.T) {
	made := func(with func(*manifest.Manifest)) manifest.Manifest {
		m := manifest.Manifest{Version: 1, Format: manifest.Embedded, Language: "en", Model: "minilm", Confidential: surgical.Exclude, RebuiltFor: 5}
		with(&m)
		return m
	}
	for _, c := range []struct {
		want string
		with func(*manifest.Manifest)
	}{
		{"", func(*manifest.Manifest) {}},
		{"there is no index", func(m *manifest.Manifest) { m.Version = 0 }},
		{"requested", func(m *manifest.Manifest) { m.RebuiltFor = 4 }},
		{"another engine", func(m *manifest.Manifest) { m.Format = manifest.OpenSearch }},
		{"another language", func(m *manifest.Manifest) { m.Language = "de" }},
		{"another model", func(m *manifest.Manifest) { m.Model = "" }},
		{"another policy", func(m *manifest.Manifest) { m.Confidential = surgical.Include }},
		{"another policy", func(m *manifest.Manifest) { m.Confidential = "" }},
	} {
		if got := made(c.with).Outdated(5, manifest.Embedded, "en", "minilm", surgical.Exclude); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
