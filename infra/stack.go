package main

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// retentions are the retention times, in days, that CloudWatch Logs knows, up
// to a year.
var retentions = map[int]awslogs.RetentionDays{
	1: awslogs.RetentionDays_ONE_DAY, 3: awslogs.RetentionDays_THREE_DAYS, 5: awslogs.RetentionDays_FIVE_DAYS,
	7: awslogs.RetentionDays_ONE_WEEK, 14: awslogs.RetentionDays_TWO_WEEKS, 30: awslogs.RetentionDays_ONE_MONTH,
	60: awslogs.RetentionDays_TWO_MONTHS, 90: awslogs.RetentionDays_THREE_MONTHS, 120: awslogs.RetentionDays_FOUR_MONTHS,
	150: awslogs.RetentionDays_FIVE_MONTHS, 180: awslogs.RetentionDays_SIX_MONTHS, 365: awslogs.RetentionDays_ONE_YEAR,
}

// stack is what the files of this package build together.
type stack struct {
	awscdk.Stack
	settings  settings
	tables    tableSet
	index     awss3.Bucket
	queues    queueSet
	secrets   secretSet
	functions functionSet
	machine   machineRef
	// mappings and rules start functions.
	mappings []mapping
	rules    []awsevents.Rule
	// errs are what is wrong with the settings and shows only in the stack.
	errs []error
}

// newStack builds the whole stack. The order follows the references: the state
// machine's name is fixed, so functions may name it before it exists.
func newStack(scope constructs.Construct, s settings) (awscdk.Stack, error) {
	props := &awscdk.StackProps{
		StackName:             &s.StackName,
		Description:           jsii.String("Lorehook: a complete, current copy of GitLab issues and merge requests"),
		TerminationProtection: &s.Protected,
	}
	if s.Account != "" {
		props.Env = &awscdk.Environment{Account: &s.Account, Region: &s.Region}
	}
	st := &stack{Stack: awscdk.NewStack(scope, jsii.String("Lorehook"), props), settings: s}
	st.tables = newTables(st)
	st.index = newIndexBucket(st)
	st.queues = newQueues(st)
	st.secrets = newSecrets(st)
	st.machine = newMachineRef(st)
	st.functions = newFunctions(st)
	st.grantAll()
	st.mapQueues()
	st.mapStream()
	workflowLogs := st.newWorkflow()
	st.newSchedule()
	api := st.newHTTPAPI()
	st.newDashboard(st.newAlarms(), api, workflowLogs)
	st.newCallerPolicies(api, workflowLogs)
	st.newOutputs(api)
	return st.Stack, errors.Join(st.errs...)
}

// name is a fixed name, unique to the stack in its account.
func (st *stack) name(suffix string) string { return st.settings.StackName + "-" + suffix }

// logGroup is a log group that forgets after the configured time. Logs hold no
// data of their own, so they go with the stack.
func (st *stack) logGroup(id string) awslogs.LogGroup { return st.namedLogGroup(id, nil) }

// vendedLogGroup is a log group that another service writes to through log
// delivery. Under this prefix it needs no statement in the account's resource
// policy, which holds 5,120 characters and would be full after a few stacks.
func (st *stack) vendedLogGroup(id, service, suffix string) awslogs.LogGroup {
	return st.namedLogGroup(id, jsii.String("/aws/vendedlogs/"+service+"/"+st.name(suffix)))
}

func (st *stack) namedLogGroup(id string, name *string) awslogs.LogGroup {
	return awslogs.NewLogGroup(st.Stack, jsii.String(id), &awslogs.LogGroupProps{
		LogGroupName:  name,
		Retention:     retentions[st.settings.LogRetentionDays],
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
}

// out adds an output.
func (st *stack) out(name string, value *string) {
	awscdk.NewCfnOutput(st.Stack, &name, &awscdk.CfnOutputProps{Value: value})
}

// newOutputs names what operators and scripts need to find again.
func (st *stack) newOutputs(api httpAPI) {
	out := st.out
	out("WebhookUrl", jsii.String(*api.url+delivery.Path))
	out("ApiUrl", api.url)
	out("HttpApiId", api.id)
	out("StateMachineArn", st.machine.arn)
	out("RequestsQueueUrl", st.queues.requests.QueueUrl())
	out("HidesQueueUrl", st.queues.hides.QueueUrl())
	out("BulkQueueUrl", st.queues.bulk.QueueUrl())
	out("DeadLetterQueueUrl", st.queues.deadLetters.QueueUrl())
	for _, t := range st.tables {
		out(t.id+"Table", t.TableName())
	}
	out("IndexBucketName", st.index.BucketName())
	out("WebhookSecretId", st.secrets.webhook)
	out("GitLabTokenSecretId", st.secrets.gitlabToken)
	if st.secrets.embedderAPIKey != nil {
		out("EmbedderApiKeySecretId", st.secrets.embedderAPIKey)
	}
	for _, f := range st.functions.all() {
		out(f.id+"FunctionName", f.FunctionName())
	}
}

// mapping is an event source mapping with the function that it starts.
type mapping struct {
	awslambda.EventSourceMapping
	starts function
}

// function is a Lambda function with its id in the stack.
type function struct {
	awslambda.Function
	id   string
	spec functionSpec
	logs awslogs.LogGroup
}
