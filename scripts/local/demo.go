package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// runTimeout is how long to wait for one run. A run normally takes about 3 s,
// most of it the settle time.
const runTimeout = 90 * time.Second

// bulkTimeout is how long to wait for what the last demo left to copy in the background,
// some 300 runs, on a slow machine.
const bulkTimeout = 15 * time.Minute

// manyRuns is how many of those take so long that the demo says what it waits for.
const manyRuns = 20

type demoCommand struct {
	NoAuth bool `name:"no-auth" help:"Do not enforce IAM on the local AWS."`
	Wait   bool `help:"Wait until the issue that the demo deletes is hidden, which takes up to nine minutes on a new stack."`
}

// Run implements the command.
func (c *demoCommand) Run(ctx context.Context, p *place) error {
	began := time.Now()
	p.out.heading("Lorehook demo")
	p.out.line("")
	settings := stackSettings{Projects: "*", NoAuth: c.NoAuth}
	if err := settings.tokensFromEnvironment(); err != nil {
		return err
	}
	if os.Getenv("GITLAB_BASE_URL") != "" {
		p.out.line("  %s", p.out.faint.Sprint("Ignoring GITLAB_BASE_URL: the demo uses its own GitLab. To use yours, run make up."))
	}
	stack, err := p.up(ctx, settings)
	if err != nil {
		return err
	}
	lore, err := apiclient.New(apiclient.Options{BaseURL: stack.Endpoints.APIURL, UserAgent: "lorehook-demo"})
	if err != nil {
		return err
	}
	d := &demo{
		place: p, stack: stack, api: api{stack.Endpoints.APIURL}, lore: lore, wait: c.Wait,
		gitlab: demoGitLab{url: stack.Endpoints.GitLabBaseURL}, stamp: began.Format("150405"),
	}
	steps, err := d.play(ctx)
	if err != nil {
		return err
	}
	return d.close(ctx, steps, began)
}

// demo plays a series of steps and checks the result of each.
type demo struct {
	*place
	stack  *devstack.Stack
	api    api
	lore   *apiclient.Client
	gitlab demoGitLab
	// stamp distinguishes this demo's changes from those of earlier ones.
	stamp string
	// wait has the demo wait until a deleted issue is hidden.
	wait bool

	// What a step leaves to those after it: the issue that was opened, the comment and
	// what the endpoint answered to it, the first issue that the backfill brought, and the
	// deleted one that is not hidden yet, if any.
	opened     surgical.EntityRef
	commented  webhook
	answered   answer
	backfilled surgical.EntityRef
	pending    surgical.EntityRef
}

var (
	issue7 = surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	issue8 = surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 8}}
	// issue9 is confidential: readers do not see its copy.
	issue9 = surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 9}}
	mr12   = surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.MergeRequest, IID: 12}}
)

// play plays all steps, and returns them.
func (d *demo) play(ctx context.Context) ([]*step, error) {
	for _, owner := range []string{"projects/" + demoProject, "groups/" + harborGroup} {
		if err := d.gitlab.hook(ctx, owner, d.stack.Endpoints.WebhookURL, d.stack.Endpoints.SigningToken); err != nil {
			return nil, err
		}
	}
	if err := d.idle(ctx); err != nil {
		return nil, err
	}
	steps, err := d.script(ctx)
	if err != nil {
		return nil, err
	}
	d.out.line("\n  %s", d.out.faint.Sprint("Steps take place at the same time, unless one needs what another did."))
	number := 0
	return steps, take(ctx, steps, func(s *step) {
		if s.heading != "" {
			d.out.heading(s.heading)
			d.out.line("  %s", d.out.faint.Sprint(s.hint))
		}
		number++
		d.out.line("\n  %d  %s  %s", number, d.out.strong.Sprint(s.title), d.out.faint.Sprint(s.how))
	})
}

// script returns the steps in their order.
func (d *demo) script(ctx context.Context) ([]*step, error) {
	opened := d.step("Issue opened", "issue_opened, of a new issue", (*step).issueOpened)
	updated := d.step("Merge request updated", "merge_request_updated", (*step).mergeRequestUpdated)
	comment := d.step("Comment added to an issue", "note_issue", (*step).comment)
	again := d.step("Same event delivered again", "note_issue, same Idempotency-Key", (*step).sameEvent, comment)
	overtaken := d.step("Run overtaken while it is still fetching", "issue_reopened, and a sync of two issues", (*step).overtaken)
	pushed := d.step("Push", "push", (*step).push)
	forged := d.step("Event signed with the wrong key", "issue_opened, wrong signature", (*step).wrongSignature)

	// The runs of passes let deliveries go first, so passes begin after them.
	before := []*step{opened, updated, comment, again, overtaken}
	backfill := d.step("Backfill", "lore backfill -p "+demoProject, (*step).backfill)
	lost := d.step("Lost webhook", fmt.Sprintf("an edit without a delivery, then lore reconcile -p %d", openedProject), (*step).lostWebhook)
	deletion := d.step("Deletion", "deleted in GitLab, which sends no event, then lore sync", (*step).deletion)
	early, err := d.canDelete(ctx)
	if err != nil {
		return nil, err
	}
	if early {
		before = append(before, deletion)
	} else {
		deletion.after = []*step{backfill}
	}
	backfill.after, lost.after = before, before
	search := d.step("Search", "lore search \""+question+"\", which the comment of step 3 answers", (*step).search, comment)

	opened.heading, opened.hint = "Deliveries", fmt.Sprintf("Each fetch starts %s after its event, so that GitLab's replicas have caught up.", duration.Text(surgical.Settle))
	backfill.heading, backfill.hint = "Nothing missed", "What no webhook announced. These two begin once the deliveries have been fetched, which passes let go first."
	search.heading, search.hint = "Read and find", "Every hit is read again before it is shown."
	return []*step{opened, updated, comment, again, overtaken, pushed, forged, backfill, lost, deletion, search}, nil
}

// synced delivers a sample, as if it had just happened to the entity, and waits until that
// is stored.
func (s *step) synced(ctx context.Context, sample string, ref surgical.EntityRef) error {
	del, err := s.deliveryOf(ctx, sample, ref)
	if err != nil {
		return err
	}
	_, err = s.syncedBy(ctx, del, ref)
	return err
}

func (s *step) syncedBy(ctx context.Context, del webhook, ref surgical.EntityRef) (answer, error) {
	sent := time.Now()
	a, err := s.send(ctx, del)
	if err != nil {
		return a, err
	}
	equal(s.checks, "response", a.status, http.StatusAccepted)
	if a.body.RunID == "" {
		return a, fmt.Errorf("the endpoint returned %s without a run_id", a)
	}
	r, err := s.awaitRun(ctx, a.body.RunID)
	if err != nil {
		return a, err
	}
	s.out.showRun("run", r, time.Since(sent))
	equal(s.checks, "status", r.Status, surgical.StatusSucceeded)
	equal(s.checks, "behind_event", r.BehindEvent, false)
	e, err := s.stored(ctx, ref)
	if err == nil {
		equal(s.checks, "run of the stored copy", e.RunID, r.RunID)
	}
	return a, err
}

// stored prints the stored copy and compares it with GitLab.
func (s *step) stored(ctx context.Context, ref surgical.EntityRef) (entityView, error) {
	e, err := s.api.entity(ctx, ref)
	if err != nil {
		return e, err
	}
	s.out.showEntity(e)
	want, err := s.gitlab.entity(ctx, ref)
	if err != nil {
		return e, err
	}
	equal(s.checks, "title", e.Title, want.title)
	equal(s.checks, "state", e.State, want.state)
	equal(s.checks, "discussions", len(e.Discussions), want.discussions)
	equal(s.checks, "events", e.events(), want.events)
	equal(s.checks, "documents without embeddings", strings.Join(e.withoutEmbeddings(), ", "), "")
	all, _, _ := e.documents()
	equal(s.checks, "documents for the entity and its discussions", all > 1, true)
	return e, nil
}

func (d *demo) delivery(sample string) (webhook, error) {
	s, err := events.Named(sample)
	if err != nil {
		return webhook{}, err
	}
	return webhook{event: s.Event, body: s.Body, key: rand.Text(), signingToken: d.stack.Endpoints.SigningToken}, nil
}

// deliveryOf is the sample as if the entity's last change in GitLab were the event.
func (d *demo) deliveryOf(ctx context.Context, sample string, ref surgical.EntityRef) (webhook, error) {
	del, err := d.delivery(sample)
	if err != nil {
		return del, err
	}
	now, err := d.gitlab.entity(ctx, ref)
	if err != nil {
		return del, err
	}
	del.body, err = happened(del.body, ref, now.updatedAt)
	return del, err
}

func (s *step) deliver(ctx context.Context, sample string) (answer, error) {
	del, err := s.delivery(sample)
	if err != nil {
		return answer{}, err
	}
	return s.send(ctx, del)
}

func (s *step) send(ctx context.Context, del webhook) (answer, error) {
	a, err := del.send(ctx, s.stack.Endpoints.WebhookURL)
	if err == nil {
		s.out.row("response", a.String())
	}
	return a, err
}

func (s *step) awaitRun(ctx context.Context, id string) (runView, error) {
	began, i := time.Now(), 0
	return s.api.await(ctx, id, runTimeout, func(status string) {
		i++
		s.out.passing("   %s run       %s  %s  %s", spinner(i), id, status, duration.Text(time.Since(began)))
	})
}

// close prints the overall result and what to try next.
func (d *demo) close(ctx context.Context, steps []*step, began time.Time) error {
	took := duration.Text(time.Since(began))
	var failures []string
	for _, s := range steps {
		failures = append(failures, s.failures...)
	}
	if n := len(failures); n > 0 {
		d.out.heading(fmt.Sprintf("%s (%s)", count(n, "unexpected result"), took))
		for _, f := range failures {
			d.out.line("  %s %s", d.out.bad.Sprint("✗"), f)
		}
		return fmt.Errorf("the demo failed; logs are in %s", d.relative(d.dir+"/logs"))
	}
	d.out.line("\n%s", d.out.good.Sprintf("All %d steps went as expected, in %s.", len(steps), took))
	e := d.stack.Endpoints
	if err := d.harbor(ctx); err != nil {
		return err
	}
	d.out.heading("Look around")
	if e := d.stack.Endpoints; e.ConsoleURL != "" {
		d.out.line("  %s/search?q=turn+off+the+sounds  %s", e.ConsoleURL, d.out.faint.Sprint("# the console"))
	}
	d.out.line("  curl -s %s", e.APIURL+entityPath(issue7))
	d.out.line("  curl -s %s", e.APIURL+entityPath(mr12))
	if d.pending != (surgical.EntityRef{}) {
		d.out.line("  curl -s %s  %s", e.APIURL+entityPath(d.pending), d.out.faint.Sprint("# 410 once the deletion is believed; make demo WAIT=1 waits for one"))
	}
	d.out.line("  curl -s -H 'PRIVATE-TOKEN: %s' %s/api/v4/projects/1/issues/7", devstack.DemoGitLabToken, e.GitLabBaseURL)
	d.out.heading("Change something and send your own event")
	d.out.line("  curl -s -X POST '%s/_demo/note?project=1&type=issue&iid=7&body=%s'", e.GitLabBaseURL, url.QueryEscape("Hello from me"))
	d.out.line("  .local/bin/local send events/note_issue.json")
	d.out.heading("Addresses")
	d.endpoints(e)
	d.out.heading("Stop")
	d.out.line("  make down")
	return nil
}
