package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// streamSetting names the stream that the feed reads, after the content table was restored.
// [operation.down] asks to remove it, because a new stack has another table.
const streamSetting = "contentStreamArn"

// checkStream reports an error that says what to do, unless the stream that the setting
// names, if any, is that of the stack's content table. The stream of another table, or of
// an earlier one of this name, can be deployed, and has no changes of this stack's copies.
func (c cloud) checkStream(ctx context.Context, given string) error {
	if given == "" {
		return nil
	}
	name, err := c.output(ctx, "ContentTable")
	if err != nil {
		return err
	}
	table, err := c.dynamoDB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return fmt.Errorf("describe table %s: %w", name, err)
	}
	stream := aws.ToString(table.Table.LatestStreamArn)
	if stream == given {
		return nil
	}
	if stream == "" {
		stream = "none"
	}
	return fmt.Errorf(`the stack is deployed, but its change feeds and its search stand still: %[1]s in cdk.context.json
        names another stream than that of the content table %[2]s.
        Remove %[1]s, or, if this table was restored, replace it as docs/restoring.md says; then run make deploy again.
        %[1]s: %[3]s
        the table's stream: %[4]s`, streamSetting, name, given, stream)
}

// output returns an output of the stack.
func (c cloud) output(ctx context.Context, key string) (string, error) {
	out, err := c.cloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &c.stack})
	if err != nil {
		return "", fmt.Errorf("describe stack %s: %w", c.stack, err)
	}
	for _, o := range out.Stacks[0].Outputs {
		if aws.ToString(o.OutputKey) == key {
			return aws.ToString(o.OutputValue), nil
		}
	}
	return "", fmt.Errorf("stack %s has no output %s", c.stack, key)
}
