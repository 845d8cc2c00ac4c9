package main

import (
	"context"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
)

// harborGroup is the group of the projects that the demo GitLab has for reading.
const harborGroup = "harbor"

// harbor begins to copy these projects, last of all: the steps before it do not wait
// behind some 300 runs. Its key makes it one backfill for each stack.
func (d *demo) harbor(ctx context.Context) error {
	b, err := d.lore.StartBackfill(ctx, apiclient.BackfillRequest{Group: harborGroup}, "demo-"+harborGroup)
	if err != nil {
		return err
	}
	d.out.heading("Something to read")
	d.out.line("  The demo GitLab has 293 more issues and merge requests: those of Harbor, a company that")
	if b.Value.Status.Terminal() {
		d.out.line("  does not exist. An earlier demo has copied them.")
		return nil
	}
	d.out.line("  does not exist. Their backfill goes on in the background for a minute or two; watch it with")
	d.out.line("  .local/bin/lore backfill --id %s", b.Value.ID)
	return nil
}
