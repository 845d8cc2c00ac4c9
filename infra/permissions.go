package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/tables"
)

// access is what a function may do with one table, and which indexes of it
// the function may query. A transaction needs the action of each of its parts.
type access struct {
	table   tables.Table
	actions []string
	indexes []string
}

// on names DynamoDB actions without their prefix.
func on(t tables.Table, actions ...string) access { return access{table: t, actions: actions} }

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
	st.grantWidget()
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
		on(tables.Content(), "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "BatchWriteItem"),
		// An attempt begins with one read of its run, the pause and the head.
		on(tables.SyncRuns(), "GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
		on(tables.SyncRunEntities(), "PutItem"),
		on(tables.DirtySources(), "Query", "PutItem", "DeleteItem"),
		on(tables.DependentQueue(), "Query", "PutItem", "UpdateItem"),
		on(tables.State(), "GetItem", "BatchGetItem", "UpdateItem"),
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
		on(tables.Content(), "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem"),
		on(tables.SyncRuns(), "GetItem", "UpdateItem"),
		on(tables.DirtySources(), "DeleteItem"),
		on(tables.DependentQueue(), "GetItem", "Query", "PutItem", "UpdateItem"),
	)
	st.allowStart(f)
}

func (st *stack) grantEmbed() {
	f := st.functions.embed
	st.allowTables(f,
		on(tables.Content(), "BatchGetItem", "Query", "PutItem", "DeleteItem", "ConditionCheckItem"),
		on(tables.SyncRuns(), "GetItem", "UpdateItem"),
		on(tables.DirtySources(), "DeleteItem"),
		on(tables.DependentQueue(), "GetItem", "Query", "UpdateItem"),
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
		on(tables.SyncRuns(), "GetItem", "UpdateItem"),
		on(tables.SyncRunEntities(), "PutItem"),
		on(tables.DependentQueue(), "Query", "UpdateItem"),
	)
}

func (st *stack) grantSweeper() {
	f := st.functions.sweeper
	st.allowTables(f,
		on(tables.Content(), "GetItem", "BatchGetItem", "Query", "UpdateItem"),
		on(tables.SyncRuns(), "GetItem", "UpdateItem").by(tables.RunsToSweep, tables.RunsByStatus),
		on(tables.SyncRunEntities(), "PutItem"),
		// The whole table is the backlog and the work of the moment.
		on(tables.DirtySources(), "Scan"),
		on(tables.DependentQueue(), "Query", "UpdateItem"),
	)
	st.allowStart(f)
	st.allowSend(f, st.queues.requests, st.queues.bulk)
}

// grantAPI withholds every write of content.
func (st *stack) grantAPI() {
	f := st.functions.api
	st.allowTables(f,
		on(tables.Content(), "GetItem", "BatchGetItem", "Query"),
		on(tables.SyncRuns(), "GetItem", "BatchGetItem", "PutItem", "UpdateItem").by(tables.RunsByProject, tables.RunsByStatus),
		on(tables.SyncRunEntities(), "Query", "PutItem").by(tables.EntitiesByEntity),
		on(tables.DirtySources(), "Query"),
		on(tables.DependentQueue(), "Query", "UpdateItem"),
	)
	st.allowSend(f, st.queues.requests)
}

// grantWidget is for reads of the ledger alone: who sees the dashboard need not
// be allowed to see content.
func (st *stack) grantWidget() {
	f := st.functions.widget
	st.allowTables(f,
		on(tables.SyncRuns(), "GetItem", "BatchGetItem").by(tables.RunsByProject, tables.RunsByStatus),
		on(tables.SyncRunEntities(), "Query", "BatchGetItem").by(tables.EntitiesByEntity),
		on(tables.DependentQueue(), "Query"),
		on(tables.State(), "GetItem"),
	)
}

func (st *stack) allowTables(f function, all ...access) {
	for _, a := range all {
		table := st.tables.of(a.table)
		var actions []string
		for _, action := range a.actions {
			actions = append(actions, "dynamodb:"+action)
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
