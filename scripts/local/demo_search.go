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

// search adds a comment that answers a question, and asks the question.
func (d *demo) search(ctx context.Context) error {
	const question = "how do I turn off the sounds"
	d.begin("Search", "a comment on the issue, then lore search \""+question+"\"")
	const answer = "How do I turn off the sounds? Set `sounds: off` in your profile."
	if err := d.gitlab.withdraw(ctx, issue7, answer); err != nil { // earlier demos' comments rank the same
		return err
	}
	if err := d.gitlab.note(ctx, issue7, answer+" ("+d.stamp+")"); err != nil {
		return err
	}
	del, err := d.deliveryOf(ctx, "note_issue", issue7)
	if err != nil {
		return err
	}
	a, err := d.send(ctx, del)
	if err != nil {
		return err
	}
	if _, err := d.awaitRun(ctx, a.body.RunID); err != nil {
		return err
	}
	mode := "lexical"
	if devstack.HasModel(d.root) {
		mode = "hybrid"
	}
	began := time.Now()
	var page apiclient.SearchPage
	if err := d.until(ctx, searchTimeout, "the comment in the index", func() (bool, string, error) {
		found, err := d.lore.Search(ctx, url.Values{"q": {question}})
		if surgical.CodeOf(err) == surgical.CodeIndexNotReady && err != nil {
			return false, "the index is being built", nil
		}
		page = found.Value
		return len(page.Hits) > 0 && strings.Contains(passage(page), d.stamp) && page.Mode == mode, fmt.Sprintf("%d hits, mode %s", len(page.Hits), page.Mode), err
	}); err != nil {
		return err
	}
	hit := page.Hits[0]
	d.out.row("found", fmt.Sprintf("%s, “%s”", hit.Short(), hit.Title)+d.out.faint.Sprintf("  %s after the run ended", duration.Text(time.Since(began))))
	d.out.row("passage", strings.Join(strings.Fields(passage(page)), " "))
	d.out.row("link", hit.Passages[0].URL)
	equal(d.checks, "entity of the best hit", surgical.EntityRef{ProjectID: hit.ProjectID, Target: hit.Target}, issue7)
	d.out.row("mode", strings.TrimSpace(page.Mode+"  "+d.out.faint.Sprint(cmp.Or(page.Model, page.Reason))))
	equal(d.checks, "mode", page.Mode, mode)
	d.end()
	return nil
}

// passage is the text of the best hit.
func passage(page apiclient.SearchPage) string {
	if len(page.Hits) == 0 || len(page.Hits[0].Passages) == 0 {
		return ""
	}
	return page.Hits[0].Passages[0].Text
}
