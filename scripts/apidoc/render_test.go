package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

func render(t *testing.T) string {
	t.Helper()
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	page, err := Render(description)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestThePageInDocsIsUpToDate(t *testing.T) {
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile(filepath.Join(root, "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), render(t)); diff != "" {
		t.Errorf("docs/api.md is out of date: make docs (-stored +rendered):\n%s", diff)
	}
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	page := render(t)
	anchors := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		anchors[strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")] = true
	}
	for _, id := range regexp.MustCompile(`<a id="([^"]+)">`).FindAllStringSubmatch(page, -1) {
		anchors[id[1]] = true
	}
	links := regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(page, -1)
	for _, link := range links {
		if !anchors[link[1]] {
			t.Errorf("#%s leads nowhere", link[1])
		}
	}
	if len(links) < 50 {
		t.Errorf("only %d links", len(links))
	}
}

func TestEveryRecordedMessageIsShown(t *testing.T) {
	shown := strings.Count(render(t), "<details>")
	files, err := filepath.Glob("../../internal/api/examples/*.json")
	if err != nil || shown != len(files) || shown == 0 {
		t.Errorf("%d messages of %d are shown, error %v", shown, len(files), err)
	}
}
