package main

import (
	"context"
	"errors"
	"time"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

type logsCommand struct {
	Function string        `arg:"" optional:"" help:"Show only this function: webhook, worker, docs, embed, finish, abort, sweeper, crawler, indexer, builder, search or api."`
	Since    time.Duration `default:"10m" help:"How far back to go."`
}

// Run implements the command.
func (c *logsCommand) Run(ctx context.Context, p *place) error {
	running, err := devstack.Running(p.dir)
	if err != nil {
		return err
	}
	aws, ok := running["ministack"]
	if !ok {
		return errors.New("the local AWS is not running; start it with make up")
	}
	lines, err := devstack.Logs(ctx, aws.URL, time.Now().Add(-c.Since))
	if err != nil {
		return err
	}
	for _, l := range lines {
		if c.Function == "" || c.Function == l.Function {
			p.out.line("%s %s %s", p.out.faint.Sprint(l.At.Format("15:04:05.000")), p.out.strong.Sprintf("%-10s", l.Function), l.Text)
		}
	}
	return nil
}
