package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// searchTimeout is how long to wait until a comment is found. On a new stack, the index
// is built first.
const searchTimeout = time.Minute

// question is what the demo searches for, and reply the comment that answers it.
const (
	question = "how do I turn off the sounds"
	reply    = "How do I turn off the sounds? Set `sounds: off` in your profile."
)

// search asks the question that a comment has answered.
func (s *step) search(ctx context.Context) error {
	mode := "lexical"
	if devstack.HasModel(s.root) {
		mode = "hybrid"
	}
	began := time.Now()
	var page apiclient.SearchPage
	if err := s.out.until(ctx, searchTimeout, "the comment in the index", func() (bool, string, error) {
		found, err := s.lore.Search(ctx, url.Values{"q": {question}})
		if surgical.CodeOf(err) == surgical.CodeIndexNotReady && err != nil {
			return false, "the index is being built", nil
		}
		page = found.Value
		return len(page.Hits) > 0 && strings.Contains(passage(page), s.stamp) && page.Mode == mode, fmt.Sprintf("%d hits, mode %s", len(page.Hits), page.Mode), err
	}); err != nil {
		return err
	}
	hit := page.Hits[0]
	s.out.row("found", fmt.Sprintf("%s, “%s”", hit.Short(), hit.Title)+s.out.faint.Sprintf("  after %s", duration.Text(time.Since(began))))
	s.out.row("passage", strings.Join(strings.Fields(passage(page)), " "))
	s.out.row("link", hit.Passages[0].URL)
	equal(s.checks, "entity of the best hit", surgical.EntityRef{ProjectID: hit.ProjectID, Target: hit.Target}, issue7)
	s.out.row("mode", strings.TrimSpace(page.Mode+"  "+s.out.faint.Sprint(cmp.Or(page.Model, page.Reason))))
	equal(s.checks, "mode", page.Mode, mode)
	return nil
}

// passage is the text of the best hit.
func passage(page apiclient.SearchPage) string {
	if len(page.Hits) == 0 || len(page.Hits[0].Passages) == 0 {
		return ""
	}
	return page.Hits[0].Passages[0].Text
}
