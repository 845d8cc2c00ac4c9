package e2e

import (
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/demogitlab"
	"gitlab.com/lorehook/lorehook/internal/devstack"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func now() time.Time { return time.Now().UTC() }

func TestNoTokenTitleOrTextReachesALog(t *testing.T) {
	s := up(t)
	began := now()
	ref := demogitlab.IssueRef(9) // confidential
	const title, text = "Marker title of a confidential issue", "Marker text of an internal note"
	s.gitlab.Edit(ref, func(c *demogitlab.Common) { c.Title = title })
	s.gitlab.AddDiscussion(ref, demogitlab.Note{Body: text, Internal: true, Confidential: true})
	a := s.deliver(t, sample(t, "issue_confidential"))
	if r := s.ended(t, a.Body.RunID); r.Status != surgical.StatusSucceeded {
		t.Fatalf("run %+v", r)
	}
	lines, err := devstack.Logs(t.Context(), s.Endpoints.AWSEndpointURL, began.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, line := range lines {
		seen[line.Function] = true
		for what, secret := range map[string]string{
			"GitLab token": gitlabToken, "secret token": secretToken, "signing token": s.Endpoints.SigningToken, "title": title, "text": text,
		} {
			if strings.Contains(line.Text, secret) {
				t.Errorf("%s logged the %s: %.300s", line.Function, what, line.Text)
			}
		}
	}
	if len(seen) < 5 {
		t.Errorf("only the logs of %v were read: the test shows little", seen)
	}
}
