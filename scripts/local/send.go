package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

type sendCommand struct {
	Payload string        `arg:"" help:"A file with the payload, or the name of a sample in events/."`
	Event   string        `help:"X-Gitlab-Event header; by default the sample's, or inferred from the payload."`
	Key     string        `help:"Idempotency-Key; a new one by default."`
	Timeout time.Duration `default:"1m" help:"How long to follow the run; 0 to skip."`
}

// Run implements the command.
func (c *sendCommand) Run(ctx context.Context, p *place) error {
	e, err := devstack.ReadEndpoints(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no stack has been started; run make up")
	}
	if err != nil {
		return err
	}
	d, err := c.delivery()
	if err != nil {
		return err
	}
	d.signingToken = e.SigningToken
	a, err := d.send(ctx, e.WebhookURL)
	if err != nil {
		return fmt.Errorf("%w (is the stack running? start it with make up)", err)
	}
	p.out.row("response", a.String())
	if a.body.RunID == "" || c.Timeout == 0 {
		return nil
	}
	return p.follow(ctx, api{e.APIURL}, a, c.Timeout)
}

func (c *sendCommand) delivery() (webhook, error) {
	d := webhook{event: c.Event, key: cmp.Or(c.Key, rand.Text())}
	sample, err := events.Named(strings.TrimSuffix(filepath.Base(c.Payload), ".json"))
	if err == nil && !strings.ContainsRune(c.Payload, filepath.Separator) && filepath.Ext(c.Payload) == "" {
		d.body, d.event = sample.Body, cmp.Or(c.Event, sample.Event)
		return d, nil
	}
	if d.body, err = os.ReadFile(c.Payload); err != nil {
		return d, fmt.Errorf("%w (and no sample in events/ has that name)", err)
	}
	if sample.Event != "" {
		d.event = cmp.Or(d.event, sample.Event)
	}
	d.event = cmp.Or(d.event, eventOf(d.body))
	return d, nil
}

// eventOf infers the header from the payload.
func eventOf(body []byte) string {
	var payload struct {
		Kind string `json:"object_kind"`
	}
	_ = json.Unmarshal(body, &payload) // invalid JSON is delivered too: the stack responds to it
	switch payload.Kind {
	case "issue", "work_item":
		return "Issue Hook"
	case "merge_request":
		return "Merge Request Hook"
	case "note":
		return "Note Hook"
	case "push":
		return "Push Hook"
	}
	return "System Hook"
}

// follow waits for the run named in the response and prints its result.
func (p *place) follow(ctx context.Context, a api, ans answer, timeout time.Duration) error {
	began := time.Now()
	r, err := a.await(ctx, ans.body.RunID, timeout, func(status string) {
		p.out.passing("     run       %s  %s", ans.body.RunID, status)
	})
	if err != nil {
		return err
	}
	p.out.showRun("run", r, time.Since(began))
	for _, t := range ans.body.Targets {
		ref := surgical.EntityRef{ProjectID: ans.body.ProjectID, Target: surgical.Target{Type: surgical.EntityType(t.Type), IID: t.IID}}
		e, err := a.entity(ctx, ref)
		if errors.Is(err, errNotFound) {
			p.out.row("store", ref.String()+" is not stored")
			continue
		}
		if err != nil {
			return err
		}
		p.out.showEntity(e)
	}
	if r.Status != surgical.StatusSucceeded {
		return fmt.Errorf("run %s %s", r.RunID, r.Status)
	}
	return nil
}
