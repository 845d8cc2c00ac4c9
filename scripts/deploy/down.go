package main

import (
	"context"
	"fmt"
	"strings"
)

// down deletes the stack, after the caller typed its name, or gave it in CONFIRM.
// Tables and the bucket of the search index stay, with what they hold and with their
// protection; their names are printed. If the deletion does not begin, the protection is on again.
func (o *operation) down(ctx context.Context) error {
	a, cloud, before, err := o.inspect(ctx, true)
	if err != nil {
		return err
	}
	if before.status == "" {
		return fmt.Errorf("there is no stack %s in account %s, region %s", a.StackName, a.Account, a.Region)
	}
	tables, err := cloud.named(ctx, tableType)
	if err != nil {
		return err
	}
	buckets, err := cloud.named(ctx, bucketType)
	if err != nil {
		return err
	}
	o.say("Stack %s in account %s, region %s: %s", a.StackName, a.Account, a.Region, before)
	o.say("Deleted with it: functions, queues with the messages in them, logs, alarms, and the secrets with their values.")
	if before.created() {
		o.say("Kept: the tables %s", strings.Join(tables, ", "))
		o.say("and the bucket of the search index, which has the same texts: %s", strings.Join(buckets, ", "))
	}
	if err := o.confirmDeletion(a.StackName); err != nil {
		return err
	}
	if err := cloud.setTerminationProtection(ctx, false); err != nil {
		return err
	}
	if err := o.cdk.destroy(ctx); err != nil {
		return cloud.protectAgain(ctx, before, err)
	}
	if before.created() {
		o.say("\nThe tables are still there, and still protected from deletion. A new stack makes tables of its own.")
		o.say("To delete one and all it holds:")
		o.say("  aws dynamodb update-table --no-deletion-protection-enabled --table-name NAME")
		o.say("  aws dynamodb delete-table --table-name NAME")
		for _, bucket := range buckets {
			o.say("To delete the texts in the search index:")
			o.say("  aws s3 rb --force s3://%s", bucket)
		}
		if a.Settings.Given[streamSetting] != "" {
			o.say("Before you deploy a new stack, remove %s from cdk.context.json: it names the stream of a table of the deleted one.", streamSetting)
		}
	}
	return nil
}

func (o *operation) confirmDeletion(stack string) error {
	given := o.confirmed
	if given == "" && o.terminal {
		var err error
		if given, err = o.answer("\nType the stack's name to delete it:"); err != nil {
			return err
		}
	}
	if given != stack {
		return fmt.Errorf("nothing was deleted: it takes the stack's name (without a terminal, CONFIRM=%s), got %q", stack, given)
	}
	return nil
}
