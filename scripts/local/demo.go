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
		place: p, stack: stack, api: api{stack.Endpoints.APIURL}, lore: lore, checks: &checks{out: p.out}, wait: c.Wait,
		gitlab: demoGitLab{url: stack.Endpoints.GitLabBaseURL}, stamp: began.Format("150405"),
	}
	if err := d.play(ctx); err != nil {
		return err
	}
	return d.close(ctx, began)
}

// demo plays a series of steps and checks the result of each.
type demo struct {
	*place
	stack  *devstack.Stack
	api    api
	lore   *apiclient.Client
	gitlab demoGitLab
	checks *checks
	// stamp distinguishes this demo's changes from those of earlier ones.
	stamp  string
	number int
	// wait has the demo wait until a deleted issue is hidden.
	wait bool
	// backfilled is an issue with a comment that the backfill brought, and pending the
	// deleted one that is not hidden yet, if any.
	backfilled, pending surgical.EntityRef
}

var (
	issue7 = surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	issue8 = surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 8}}
	mr12   = surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.MergeRequest, IID: 12}}
)

func (d *demo) play(ctx context.Context) error {
	for _, owner := range []string{"projects/" + demoProject, "groups/" + harborGroup} {
		if err := d.gitlab.hook(ctx, owner, d.stack.Endpoints.WebhookURL, d.stack.Endpoints.SigningToken); err != nil {
			return err
		}
	}
	d.out.heading("Deliveries")
	d.out.line("  %s", d.out.faint.Sprintf("Each fetch starts %s after its event, so that GitLab's replicas have caught up.", duration.Text(surgical.Settle)))
	if err := inOrder(ctx, d.issueOpened, d.mergeRequestUpdated, d.commentAndDuplicate, d.overtaken, d.push, d.wrongSignature); err != nil {
		return err
	}
	d.out.heading("Nothing missed")
	d.out.line("  %s", d.out.faint.Sprint("What no webhook announced. Its runs let deliveries go first, which takes up to 20 s."))
	if err := inOrder(ctx, d.backfill, d.lostWebhook, d.deletion); err != nil {
		return err
	}
	d.out.heading("Read and find")
	return d.search(ctx)
}

// inOrder takes the steps until one fails.
func inOrder(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// synced delivers a sample and waits until its entity is stored.
func (d *demo) synced(ctx context.Context, sample string, ref surgical.EntityRef) (answer, error) {
	del, err := d.deliveryOf(ctx, sample, ref)
	if err != nil {
		return answer{}, err
	}
	a, err := d.syncedBy(ctx, del, ref)
	d.end()
	return a, err
}

func (d *demo) syncedBy(ctx context.Context, del webhook, ref surgical.EntityRef) (answer, error) {
	sent := time.Now()
	a, err := d.send(ctx, del)
	if err != nil {
		return a, err
	}
	equal(d.checks, "response", a.status, http.StatusAccepted)
	if a.body.RunID == "" {
		return a, fmt.Errorf("the endpoint returned %s without a run_id", a)
	}
	r, err := d.awaitRun(ctx, a.body.RunID)
	if err != nil {
		return a, err
	}
	d.showRun("run", r, time.Since(sent))
	equal(d.checks, "status", r.Status, surgical.StatusSucceeded)
	equal(d.checks, "behind_event", r.BehindEvent, false)
	e, err := d.stored(ctx, ref)
	if err == nil {
		equal(d.checks, "run of the stored copy", e.RunID, r.RunID)
	}
	return a, err
}

// stored prints the stored copy and compares it with GitLab.
func (d *demo) stored(ctx context.Context, ref surgical.EntityRef) (entityView, error) {
	e, err := d.api.entity(ctx, ref)
	if err != nil {
		return e, err
	}
	d.showEntity(e)
	want, err := d.gitlab.entity(ctx, ref)
	if err != nil {
		return e, err
	}
	equal(d.checks, "title", e.Title, want.title)
	equal(d.checks, "state", e.State, want.state)
	equal(d.checks, "discussions", len(e.Discussions), want.discussions)
	equal(d.checks, "events", e.events(), want.events)
	equal(d.checks, "documents without embeddings", strings.Join(e.withoutEmbeddings(), ", "), "")
	all, _, _ := e.documents()
	equal(d.checks, "documents for the entity and its discussions", all > 1, true)
	return e, nil
}

func (d *demo) delivery(sample string) (webhook, error) {
	s, err := events.Named(sample)
	if err != nil {
		return webhook{}, err
	}
	return webhook{event: s.Event, body: s.Body, key: rand.Text(), signingToken: d.stack.Endpoints.SigningToken}, nil
}

// deliveryOf is the sample with the entity's date in GitLab, as if its last change were
// the event.
func (d *demo) deliveryOf(ctx context.Context, sample string, ref surgical.EntityRef) (webhook, error) {
	del, err := d.delivery(sample)
	if err != nil {
		return del, err
	}
	now, err := d.gitlab.entity(ctx, ref)
	if err != nil {
		return del, err
	}
	del.body, err = dated(del.body, now.updatedAt)
	return del, err
}

func (d *demo) deliver(ctx context.Context, sample string) (answer, error) {
	del, err := d.delivery(sample)
	if err != nil {
		return answer{}, err
	}
	return d.send(ctx, del)
}

func (d *demo) send(ctx context.Context, del webhook) (answer, error) {
	a, err := del.send(ctx, d.stack.Endpoints.WebhookURL)
	if err == nil {
		d.out.row("response", a.String())
	}
	return a, err
}

func (d *demo) awaitRun(ctx context.Context, id string) (runView, error) {
	began, i := time.Now(), 0
	return d.api.await(ctx, id, runTimeout, func(status string) {
		i++
		d.out.passing("   %s run       %s  %s  %s", spinner(i), id, status, duration.Text(time.Since(began)))
	})
}

func (d *demo) begin(title, sample string) {
	d.number++
	d.checks.subject = title
	d.out.line("\n  %d  %s  %s", d.number, d.out.strong.Sprint(title), d.out.faint.Sprint(sample))
}

func (d *demo) end() { d.checks.settle() }

// close prints the overall result and what to try next.
func (d *demo) close(ctx context.Context, began time.Time) error {
	took := duration.Text(time.Since(began))
	if n := len(d.checks.failures); n > 0 {
		d.out.heading(fmt.Sprintf("%s (%s)", count(n, "unexpected result"), took))
		for _, f := range d.checks.failures {
			d.out.line("  %s %s", d.out.bad.Sprint("✗"), f)
		}
		return fmt.Errorf("the demo failed; logs are in %s", d.relative(d.dir+"/logs"))
	}
	d.out.line("\n%s", d.out.good.Sprintf("All %d steps went as expected, in %s.", d.number, took))
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
