package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// functionSet is the Lambda functions.
type functionSet struct {
	webhook, worker, docs, embed, finish, abort, sweeper, crawler, feed, api, widget, indexer, builder, search function
}

func (s functionSet) all() []function {
	return []function{s.webhook, s.worker, s.docs, s.embed, s.finish, s.abort, s.sweeper, s.crawler, s.feed, s.api, s.widget, s.indexer, s.builder, s.search}
}

// lasting is a duration as the CDK takes it.
func lasting(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(d.Seconds()))
}

// functionSpec is what differs between functions.
type functionSpec struct {
	// name is the directory under functions/ and the end of the real name.
	name    string
	does    string
	memory  int // MB
	timeout time.Duration
	env     []map[string]*string
	// restarted is for functions that a schedule, or a function with one, starts again
	// soon anyway: Lambda neither repeats a failed invocation of theirs nor queues a
	// throttled one for hours.
	restarted bool
	// storage is the size of the temporary storage, in MB; 0 for Lambda's 512.
	storage int
	// reserved is the concurrency that only this function may use, and at most;
	// 0 reserves none.
	reserved int
}

const architectureARM = "arm64"

func newFunctions(st *stack) functionSet {
	tableNames := st.tables.env()
	projects := map[string]*string{"LOREHOOK_PROJECTS": &st.settings.Projects}
	requests := map[string]*string{"LOREHOOK_REQUESTS_QUEUE_URL": st.queues.requests.QueueUrl()}
	hides := map[string]*string{"LOREHOOK_HIDES_QUEUE_URL": st.queues.hides.QueueUrl()}
	bulk := map[string]*string{"LOREHOOK_BULK_QUEUE_URL": st.queues.bulk.QueueUrl()}
	index := map[string]*string{"LOREHOOK_INDEX_BUCKET": st.index.BucketName(), "LOREHOOK_SEARCH_LANGUAGE": &st.settings.SearchLanguage, "LOREHOOK_CONFIDENTIAL": &st.settings.Confidential}
	if endpoint := st.settings.OpenSearchEndpoint; endpoint.URL != "" {
		index["LOREHOOK_OPENSEARCH_ENDPOINT"], index["LOREHOOK_OPENSEARCH_INDEX"] = &endpoint.URL, jsii.String(st.openSearchIndex())
	}
	machine := map[string]*string{"LOREHOOK_STATE_MACHINE_ARN": st.machine.arn}
	return functionSet{
		webhook: st.function("Webhook", functionSpec{name: "webhook", does: "Verifies, classifies and enqueues webhooks",
			memory: surgical.SmallMemory, timeout: surgical.WebhookTimeout, reserved: st.settings.WebhookReservedConcurrency,
			env: []map[string]*string{requests, hides, projects, {"LOREHOOK_WEBHOOK_SECRET_ID": st.secrets.webhook}}}),
		worker: st.function("Worker", functionSpec{name: "worker", does: "Fetches entities from GitLab and commits them",
			memory: surgical.WorkerMemory, timeout: surgical.WorkerTimeout,
			env: []map[string]*string{tableNames, requests, hides, bulk, projects, machine, st.gitlabEnv(), st.modelEnv(), {
				"LOREHOOK_DEAD_LETTER_QUEUE_URL": st.queues.deadLetters.QueueUrl(),
			}}}),
		docs: st.function("Docs", functionSpec{name: "docs", does: "Regenerates the documents that a run made dirty; embeds a small change, and closes its run",
			memory: surgical.StageMemory, timeout: surgical.StageTimeout, env: []map[string]*string{tableNames, machine, st.embedderEnv()}}),
		embed: st.function("Embed", functionSpec{name: "embed", does: "Embeds the documents of larger changes",
			memory: surgical.StageMemory, timeout: surgical.StageTimeout, env: []map[string]*string{tableNames, machine, st.embedderEnv()}}),
		finish: st.function("Finish", functionSpec{name: "finish", does: "Closes a run whose jobs are done",
			memory: surgical.SmallMemory, timeout: surgical.ClosingTimeout, env: []map[string]*string{tableNames}}),
		abort: st.function("Abort", functionSpec{name: "abort", does: "Closes a run whose workflow failed",
			memory: surgical.SmallMemory, timeout: surgical.ClosingTimeout, env: []map[string]*string{tableNames}}),
		sweeper: st.function("Sweeper", functionSpec{name: "sweeper", does: "Closes runs that crashed permanently",
			memory: surgical.SmallMemory, timeout: surgical.SweeperTimeout, restarted: true, env: []map[string]*string{tableNames, requests, bulk, projects, machine}}),
		crawler: st.function("Crawler", functionSpec{name: "crawler", does: "Compares GitLab's lists with the copy",
			memory: surgical.CrawlerMemory, timeout: surgical.CrawlerTimeout, restarted: true, env: []map[string]*string{tableNames, hides, bulk, projects, st.gitlabEnv(), {
				"LOREHOOK_CENSUS_DAYS":              jsii.String(strconv.Itoa(st.settings.CensusDays)),
				"LOREHOOK_RECONCILE_MINUTES":        jsii.String(strconv.Itoa(st.settings.ReconcileMinutes)),
				"LOREHOOK_PROJECT_HIDE_AFTER_HOURS": jsii.String(strconv.Itoa(st.settings.ProjectHideAfterHours)),
			}}}),
		feed: st.function("Feed", functionSpec{name: "feed", does: "Numbers the changes of the copy",
			memory: surgical.SmallMemory, timeout: surgical.FeedTimeout, env: []map[string]*string{tableNames, {"LOREHOOK_INDEXER_FUNCTION": jsii.String(st.name("indexer"))}}}),
		api: st.function("Api", functionSpec{name: "api", does: "Serves the manual HTTP API",
			memory: surgical.APIMemory, timeout: surgical.APITimeout, env: []map[string]*string{tableNames, requests, hides, bulk, projects, {
				"LOREHOOK_DEAD_LETTER_QUEUE_URL": st.queues.deadLetters.QueueUrl(), "LOREHOOK_FEED_FAILURES_QUEUE_URL": st.queues.feedFailures.QueueUrl(),
				"LOREHOOK_RECONCILE_MINUTES": jsii.String(strconv.Itoa(st.settings.ReconcileMinutes)),
				"LOREHOOK_CRAWLER_FUNCTION":  jsii.String(st.name("crawler")), "LOREHOOK_CONFIDENTIAL": &st.settings.Confidential,
				"LOREHOOK_SEARCH_FUNCTION": jsii.String(st.name("search")), "LOREHOOK_INDEXER_FUNCTION": jsii.String(st.name("indexer")),
			}}}),
		indexer: st.function("Indexer", functionSpec{name: "indexer", does: "Keeps the search index current",
			memory: surgical.IndexerMemory, timeout: surgical.IndexerTimeout, restarted: true,
			env: []map[string]*string{tableNames, st.embedderEnv(), index, {"LOREHOOK_BUILDER_FUNCTION": jsii.String(st.name("builder"))}}}),
		builder: st.function("Builder", functionSpec{name: "builder", does: "Rebuilds and compacts the search index",
			memory: surgical.IndexMemory, storage: surgical.IndexStorage, timeout: surgical.IndexerTimeout, restarted: true,
			env: []map[string]*string{tableNames, st.embedderEnv(), index}}),
		search: st.function("Search", functionSpec{name: "search", does: "Answers queries from the search index",
			memory: surgical.IndexMemory, storage: surgical.IndexStorage, timeout: surgical.SearchTimeout,
			env: []map[string]*string{tableNames, st.embedderEnv(), index}}),
		widget: st.function("Widget", functionSpec{name: "widget", does: "Shows the run ledger in the dashboard",
			memory: surgical.SmallMemory, timeout: surgical.WidgetTimeout, env: []map[string]*string{tableNames, projects}}),
	}
}

// modelEnv names the model that embeds.
func (st *stack) modelEnv() map[string]*string {
	env := map[string]*string{"LOREHOOK_EMBEDDER": &st.settings.Embedder}
	if st.settings.EmbedderModel != "" {
		env["LOREHOOK_EMBEDDER_MODEL"] = &st.settings.EmbedderModel
	}
	return env
}

// embedderEnv addresses the embedder.
func (st *stack) embedderEnv() map[string]*string {
	env := st.modelEnv()
	if st.settings.Embedder == "bedrock" {
		env["LOREHOOK_EMBEDDER_CONCURRENCY"] = jsii.String(strconv.Itoa(st.settings.EmbedderConcurrency))
	}
	if st.settings.EmbedderDir != "" {
		env["LOREHOOK_EMBEDDER_DIR"] = &st.settings.EmbedderDir
	}
	if st.settings.EmbedderURL != "" {
		env["LOREHOOK_EMBEDDER_URL"] = &st.settings.EmbedderURL
	}
	if st.secrets.embedderAPIKey != nil {
		env["LOREHOOK_EMBEDDER_API_KEY_SECRET_ID"] = st.secrets.embedderAPIKey
	}
	return env
}

// dirOf is the directory that holds a function's bootstrap.
func (s settings) dirOf(function string) string {
	return filepath.Join(s.LambdaDir, s.Architecture, function)
}

// function makes one function with a role and a log group of its own. The role
// may write its logs and traces; the rest is in permissions.go.
func (st *stack) function(id string, spec functionSpec) function {
	logs := st.logGroup(id + "Logs")
	role := awsiam.NewRole(st.Stack, jsii.String(id+"Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	allow(role, []string{"logs:CreateLogStream", "logs:PutLogEvents"}, logs.LogGroupArn())
	architecture := awslambda.Architecture_X86_64()
	if st.settings.Architecture == architectureARM {
		architecture = awslambda.Architecture_ARM_64()
	}
	env := map[string]*string{"LOREHOOK_LOG_LEVEL": &st.settings.LogLevel, "LOREHOOK_METRICS_NAMESPACE": &st.settings.StackName}
	for _, part := range spec.env {
		maps.Copy(env, part)
	}
	st.checkEnvironment(spec.name, env)
	forGitLab := slices.Contains(callsGitLab(), spec.name)
	dir := st.settings.dirOf(spec.name)
	if forGitLab && st.settings.BundledDir != "" {
		dir = filepath.Join(st.settings.BundledDir, spec.name)
	}
	props := &awslambda.FunctionProps{
		FunctionName:  jsii.String(st.name(spec.name)),
		Description:   jsii.String("Lorehook: " + spec.does),
		Runtime:       awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:  architecture,
		Handler:       jsii.String("bootstrap"),
		Code:          awslambda.Code_FromAsset(&dir, nil),
		MemorySize:    jsii.Number(spec.memory),
		Timeout:       lasting(spec.timeout),
		Environment:   &env,
		Role:          role,
		Tracing:       awslambda.Tracing_ACTIVE,
		LogGroup:      logs,
		LoggingFormat: awslambda.LoggingFormat_JSON,
	}
	switch {
	case st.settings.Tracing == "off":
		props.Tracing = awslambda.Tracing_DISABLED
	case spec.restarted:
		// Lambda would record every start of an idle stack.
		props.Tracing = awslambda.Tracing_PASS_THROUGH
	}
	if st.settings.LogLevel != "info" {
		// The level of the function's own lines stays as it is: metrics have none,
		// pass for INFO, and would be left out.
		props.SystemLogLevelV2 = awslambda.SystemLogLevel_WARN
	}
	if spec.restarted {
		props.RetryAttempts, props.MaxEventAge = jsii.Number(0), lasting(surgical.SweepInterval)
	}
	if spec.storage > 0 {
		props.EphemeralStorageSize = awscdk.Size_Mebibytes(jsii.Number(spec.storage))
	}
	if spec.reserved > 0 {
		props.ReservedConcurrentExecutions = jsii.Number(spec.reserved)
	}
	inVPC := forGitLab && len(st.settings.VPCSubnetIDs) > 0
	if inVPC {
		st.allowInterfaces(role, *props.FunctionName)
	}
	f := awslambda.NewFunction(st.Stack, jsii.String(id+"Function"), props)
	st.countInvocations(id, logs)
	if inVPC {
		st.joinVPC(f)
	}
	switch {
	case st.settings.Tracing == "off":
		st.suppress(f, "Serverless-LambdaTracing", untraced)
	case spec.restarted:
		st.suppress(f, "Serverless-LambdaTracing", "Starts by the schedule are not worth a trace each; a trace that a caller began is continued.")
	}
	if spec.restarted {
		st.suppress(f, "Serverless-LambdaDLQ", nextStart)
		st.suppress(f, "Serverless-LambdaAsyncFailureDestination", nextStart)
	} else {
		st.suppress(f, "Serverless-LambdaDLQ", "Never invoked asynchronously: the caller receives the failure, and failed messages move to the queue's own dead-letter queue.")
	}
	st.suppress(role, "AwsSolutions-IAM5", "X-Ray takes no resource: xray:PutTraceSegments and xray:PutTelemetryRecords are only allowed on *.", "Resource::*")
	return function{Function: f, id: id, spec: spec, logs: logs}
}
