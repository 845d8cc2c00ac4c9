package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
)

const docs = "../../docs/api"

func render(t *testing.T) map[string]string {
	t.Helper()
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := Render(description)
	if err != nil {
		t.Fatal(err)
	}
	return texts(pages)
}

func texts(pages map[string][]byte) map[string]string {
	all := map[string]string{}
	for name, page := range pages {
		all[name] = string(page)
	}
	return all
}

func TestRender_IsWhatDocsHas(t *testing.T) {
	stored, err := generated(docs)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(texts(stored), render(t)); diff != "" {
		t.Errorf("docs/api is out of date: make docs (-stored +rendered):\n%s", diff)
	}
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	pages := render(t)
	anchors := map[string]bool{}
	for file, page := range pages {
		anchors[file+"#"] = true
		for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
			anchors[file+"#"+strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")] = true
		}
		for _, id := range regexp.MustCompile(`<a id="([^"]+)">`).FindAllStringSubmatch(page, -1) {
			anchors[file+"#"+id[1]] = true
		}
	}
	count := 0
	for file, page := range pages {
		for _, link := range regexp.MustCompile(`\]\(([a-zA-Z./-]*)(?:#([^)]+))?\)`).FindAllStringSubmatch(page, -1) {
			count++
			to, anchor := link[1], link[2]
			if to == "" {
				to = file
			}
			if _, err := os.Stat(filepath.Join(docs, to)); err != nil || pages[to] != "" && !anchors[to+"#"+anchor] {
				t.Errorf("%s: %s#%s leads nowhere", file, to, anchor)
			}
		}
	}
	if count < 300 {
		t.Errorf("only %d links", count)
	}
}

func TestEveryRecordedMessageIsShown(t *testing.T) {
	shown := 0
	for _, page := range render(t) {
		shown += strings.Count(page, "<details>")
	}
	files, err := filepath.Glob("../../internal/api/examples/*.json")
	if err != nil || shown != len(files) || shown == 0 {
		t.Errorf("%d messages of %d are shown, error %v", shown, len(files), err)
	}
}

func TestEveryTypeIsDescribedOnce(t *testing.T) {
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(func() (pages []string) {
		for _, page := range render(t) {
			pages = append(pages, page)
		}
		return pages
	}(), "\n")
	for name := range description.Components.Schemas.Map() {
		if n := len(regexp.MustCompile(`(?m)^##+ `+name+`$`).FindAllString(all, -1)); n != 1 {
			t.Errorf("%s is described %d times", name, n)
		}
	}
}
