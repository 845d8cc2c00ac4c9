package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
)

// tableWait bounds the wait for a table that is still being changed.
const tableWait = 5 * time.Minute

// cloud is one stack on AWS, which need not exist.
type cloud struct {
	stack          string
	cloudFormation *cloudformation.Client
	dynamoDB       *dynamodb.Client
}

func connect(ctx context.Context, a assembly) (cloud, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(a.Region))
	if err != nil {
		return cloud{}, fmt.Errorf("AWS configuration: %w", err)
	}
	return cloud{stack: a.StackName, cloudFormation: cloudformation.NewFromConfig(cfg), dynamoDB: dynamodb.NewFromConfig(cfg)}, nil
}

// state is what CloudFormation says about a stack.
type state struct {
	// status is "" if there is no stack.
	status    types.StackStatus
	protected bool
	// changed is when its status last changed.
	changed time.Time
}

func (s state) String() string {
	if s.status == "" {
		return "does not exist yet"
	}
	return string(s.status)
}

// failedCreation reports whether the CDK will delete the stack and create it anew.
func (s state) failedCreation() bool {
	return s.status == types.StackStatusRollbackComplete || s.status == types.StackStatusRollbackFailed
}

// created reports whether the stack was ever created, so that the next deployment
// updates it.
func (s state) created() bool {
	switch s.status {
	case "", types.StackStatusReviewInProgress, types.StackStatusCreateInProgress, types.StackStatusCreateFailed,
		types.StackStatusRollbackInProgress, types.StackStatusDeleteInProgress, types.StackStatusDeleteFailed, types.StackStatusDeleteComplete:
		return false
	default:
		return !s.failedCreation()
	}
}

func (c cloud) state(ctx context.Context) (state, error) {
	out, err := c.cloudFormation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &c.stack})
	if missing(err) {
		return state{}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("describe stack %s: %w", c.stack, err)
	}
	s := state{status: out.Stacks[0].StackStatus, protected: aws.ToBool(out.Stacks[0].EnableTerminationProtection)}
	events, err := c.cloudFormation.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &c.stack})
	if err != nil {
		return state{}, fmt.Errorf("describe the events of stack %s: %w", c.stack, err)
	}
	for _, e := range events.StackEvents { // the newest first
		if t := aws.ToTime(e.Timestamp); t.After(s.changed) {
			s.changed = t
		}
	}
	return s, nil
}

// missing reports whether err says that there is no such stack. CloudFormation
// has no code of its own for that.
func missing(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}

// The types of the resources that outlive the stack.
const (
	tableType  = "AWS::DynamoDB::Table"
	bucketType = "AWS::S3::Bucket"
)

// named returns the real names of the stack's resources of a type.
func (c cloud) named(ctx context.Context, resource string) ([]string, error) {
	var names []string
	pages := cloudformation.NewListStackResourcesPaginator(c.cloudFormation, &cloudformation.ListStackResourcesInput{StackName: &c.stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the resources of stack %s: %w", c.stack, err)
		}
		for _, r := range page.StackResourceSummaries {
			if aws.ToString(r.ResourceType) == resource && r.ResourceStatus != types.ResourceStatusDeleteComplete {
				names = append(names, aws.ToString(r.PhysicalResourceId))
			}
		}
	}
	return names, nil
}

// protect switches the deletion protection of every table on, and the stack's
// termination protection. What is on already stays as it is.
func (c cloud) protect(ctx context.Context) error {
	tables, err := c.named(ctx, tableType)
	if err != nil {
		return err
	}
	for _, name := range tables {
		if err := c.protectTable(ctx, name); err != nil {
			return err
		}
	}
	return c.setTerminationProtection(ctx, true)
}

func (c cloud) protectTable(ctx context.Context, name string) error {
	table := &dynamodb.DescribeTableInput{TableName: &name}
	// A table that is still being changed refuses another change.
	now, err := dynamodb.NewTableExistsWaiter(c.dynamoDB).WaitForOutput(ctx, table, tableWait)
	if err != nil {
		return fmt.Errorf("wait for table %s: %w", name, err)
	}
	if aws.ToBool(now.Table.DeletionProtectionEnabled) {
		return nil
	}
	if _, err := c.dynamoDB.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &name, DeletionProtectionEnabled: aws.Bool(true)}); err != nil {
		return fmt.Errorf("protect table %s: %w", name, err)
	}
	return nil
}

func (c cloud) setTerminationProtection(ctx context.Context, on bool) error {
	_, err := c.cloudFormation.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{StackName: &c.stack, EnableTerminationProtection: &on})
	if err != nil {
		return fmt.Errorf("set the termination protection of stack %s: %w", c.stack, err)
	}
	return nil
}

// protectAgain restores the protection that the stack had before, after a deletion
// that failed with cause, unless it has begun.
func (c cloud) protectAgain(ctx context.Context, before state, cause error) error {
	// The deletion may have been interrupted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	now, err := c.state(ctx)
	if err != nil || now.status != before.status || !before.protected {
		return errors.Join(cause, err)
	}
	return errors.Join(cause, c.setTerminationProtection(ctx, true))
}
