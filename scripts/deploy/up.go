package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// queueNameWait is how long SQS refuses the name of a deleted queue.
const queueNameWait = time.Minute

// up deploys the stack: it prints the effective settings and the changes, asks if
// somebody can answer, and switches all protection on after it succeeded. Then it checks
// that the feed reads the stack's own stream. It can be repeated, whatever became of the
// last time.
func (o *operation) up(ctx context.Context) error {
	a, cloud, before, err := o.inspect(ctx, false)
	if err != nil {
		return err
	}
	if before.created() {
		// The CDK sets the protection that the assembly says, before it updates.
		if a, err = o.cdk.synth(ctx, true); err != nil {
			return err
		}
	}
	o.show(a, before)
	if err := o.cdk.diff(ctx); err != nil {
		return err
	}
	if err := o.approve(a); err != nil {
		return err
	}
	if err := o.makeRoom(ctx, cloud, before); err != nil {
		return err
	}
	if err := o.cdk.deploy(ctx); err != nil {
		return fmt.Errorf("%w\n        Once the cause is removed, run make deploy again", err)
	}
	if err := cloud.protect(ctx); err != nil {
		return fmt.Errorf("the stack is deployed, but not fully protected from deletion; run make deploy again: %w", err)
	}
	o.say("\nThe stack and its tables are protected from deletion.")
	return cloud.checkStream(ctx, a.Settings.Given[streamSetting])
}

// show prints where the stack will be deployed, and its settings.
func (o *operation) show(a assembly, before state) {
	o.say("Stack %s in account %s, region %s: %s\n", a.StackName, a.Account, a.Region, before)
	o.say("Settings:")
	o.showSettings(a.Settings.Given)
	o.say("Defaults:")
	o.showSettings(a.Settings.Default)
	o.say("\nChanges:")
}

func (o *operation) showSettings(settings map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value := settings[name]
		if value == "" {
			value = "-"
		}
		o.say("  %-28s %s", name, value)
	}
}

// approve asks whether to go on, if somebody can answer. Without a terminal, to
// have started the command is the approval.
func (o *operation) approve(a assembly) error {
	if !o.terminal {
		return nil
	}
	answer, err := o.answer(fmt.Sprintf("\nDeploy this to account %s, region %s? [y/N]", a.Account, a.Region))
	if err != nil {
		return err
	}
	if answer != "y" && answer != "yes" {
		return errors.New("nothing was deployed")
	}
	return nil
}

// makeRoom removes what would stop the CDK from repeating a failed creation: the
// protection that former versions gave a stack before it existed, and the names of
// queues that SQS has not yet released.
func (o *operation) makeRoom(ctx context.Context, cloud cloud, before state) error {
	if !before.failedCreation() {
		return nil
	}
	if before.protected {
		if err := cloud.setTerminationProtection(ctx, false); err != nil {
			return err
		}
	}
	rest := queueNameWait - o.clock().Sub(before.changed)
	if rest <= 0 {
		return nil
	}
	o.say("Waiting %.0f s: SQS does not accept the name of a queue that was deleted less than a minute ago.", rest.Seconds())
	return o.wait(ctx, rest)
}
