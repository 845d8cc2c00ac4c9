package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/tables"
)

// DynamoDB actions in groups that belong together. A transaction needs the
// action of each of its parts. Nobody may scan a table.
var (
	read      = []string{"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}
	write     = []string{"dynamodb:PutItem", "dynamodb:UpdateItem"}
	condition = []string{"dynamodb:ConditionCheckItem"}
	bulkWrite = []string{"dynamodb:BatchWriteItem"}
	remove    = []string{"dynamodb:DeleteItem"}
)

// access is what a function may do with one table, and which indexes of it
// the function may query.
type access struct {
	table   tables.Table
	actions [][]string
	indexes []string
}

func on(t tables.Table, actions ...[]string) access { return access{table: t, actions: actions} }

func (a access) by(indexes ...string) access {
	a.indexes = indexes
	return a
}

// grantAll writes every function's permissions, and nothing beyond them.
func (st *stack) grantAll() {
	st.grantWebhook()
	st.grantWorker()
	st.grantDocs()
	st.grantEmbed()
	st.grantClosing(st.functions.finish)
	st.grantClosing(st.functions.abort)
	st.grantSweeper()
	st.grantAPI()
}

func (st *stack) grantWebhook() {
	f := st.functions.webhook
	st.allowSend(f, st.queues.requests)
	allowSecret(f, st.secrets.webhook)
}

// grantWorker withholds DeleteItem on content: workers delete no child.
func (st *stack) grantWorker() {
	f := st.functions.worker
	st.allowTables(f,
		on(tables.Content(), read, write, bulkWrite, condition),
		on(tables.SyncRuns(), read, write, condition),
		on(tables.SyncRunEntities(), read, write, bulkWrite),
		on(tables.DirtySources(), read, write, remove, condition),
		on(tables.DependentQueue(), read, write, condition),
		on(tables.State(), read, write),
	)
	allow(f.Role(), []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"},
		st.queues.requests.QueueArn(), st.queues.bulk.QueueArn())
	st.allowSend(f, st.queues.deadLetters)
	st.allowStart(f)
	allowSecret(f, st.secrets.gitlabToken)
}

func (st *stack) grantDocs() {
	f := st.functions.docs
	st.allowTables(f,
		on(tables.Content(), read, write, bulkWrite, remove, condition),
		on(tables.SyncRuns(), read, write, condition),
		on(tables.DirtySources(), read, write, remove, condition),
		on(tables.DependentQueue(), read, write, condition),
	)
	st.allowStart(f)
}

func (st *stack) grantEmbed() {
	f := st.functions.embed
	st.allowTables(f,
		on(tables.Content(), read, write, bulkWrite, remove, condition),
		on(tables.SyncRuns(), read, write, condition),
		on(tables.DirtySources(), read, remove, condition),
		on(tables.DependentQueue(), read, write, condition),
	)
	st.allowStart(f)
	if st.settings.Embedder == "bedrock" {
		allow(f.Role(), []string{"bedrock:InvokeModel"}, st.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("bedrock"), Account: jsii.String(""),
			Resource: jsii.String("foundation-model"), ResourceName: &st.settings.EmbedderModel,
		}))
	}
	if st.secrets.embedderAPIKey != nil {
		allowSecret(f, st.secrets.embedderAPIKey)
	}
}

// grantClosing is for finish and abort: they see no content.
func (st *stack) grantClosing(f function) {
	st.allowTables(f,
		on(tables.SyncRuns(), read, write, condition),
		on(tables.SyncRunEntities(), read, write, bulkWrite),
		on(tables.DependentQueue(), read, write, condition),
	)
}

func (st *stack) grantSweeper() {
	f := st.functions.sweeper
	st.allowTables(f,
		on(tables.Content(), read, write, bulkWrite, remove, condition).by(tables.ContentByProject),
		on(tables.SyncRuns(), read, write, condition).by(tables.RunsToSweep, tables.RunsByStatus),
		on(tables.SyncRunEntities(), read, write, bulkWrite),
		on(tables.DirtySources(), read, write, remove, condition).by(tables.DirtySourcesByProject),
		on(tables.DependentQueue(), read, write, condition),
		on(tables.State(), read, write),
	)
	st.allowStart(f)
	st.allowSend(f, st.queues.requests, st.queues.bulk)
}

// grantAPI only reads.
func (st *stack) grantAPI() {
	st.allowTables(st.functions.api,
		on(tables.Content(), read).by(tables.ContentByProject),
		on(tables.SyncRuns(), read).by(tables.RunsByProject, tables.RunsByStatus),
		on(tables.SyncRunEntities(), read).by(tables.EntitiesByEntity),
		on(tables.DependentQueue(), read),
	)
}

func (st *stack) allowTables(f function, all ...access) {
	for _, a := range all {
		table := st.tables.of(a.table)
		var actions []string
		for _, group := range a.actions {
			actions = append(actions, group...)
		}
		allow(f.Role(), actions, table.TableArn())
		for _, index := range a.indexes {
			allow(f.Role(), []string{"dynamodb:Query"}, jsii.String(*table.TableArn()+"/index/"+index))
		}
	}
}

func (st *stack) allowSend(f function, queues ...awssqs.Queue) {
	var arns []*string
	for _, q := range queues {
		arns = append(arns, q.QueueArn())
	}
	allow(f.Role(), []string{"sqs:SendMessage"}, arns...)
}

func (st *stack) allowStart(f function) {
	allow(f.Role(), []string{"states:StartExecution"}, st.machine.arn)
}

func allowSecret(f function, arn *string) {
	allow(f.Role(), []string{"secretsmanager:GetSecretValue"}, arn)
}

// allow adds one statement to the role's own policy.
func allow(role awsiam.IRole, actions []string, resources ...*string) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &resources,
	}))
}
