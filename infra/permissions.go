package main

import (
	"cmp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/infra/access"
)

// grantAll gives every function's role what package access lists, the secrets
// that it reads and the model that it invokes, and nothing else.
func (st *stack) grantAll() {
	granted := access.Functions()
	for _, f := range st.functions.all() {
		may := granted[f.spec.name]
		if f.spec.name == "search" && st.settings.OpenSearchEndpoint.URL != "" {
			may.Objects, may.Lists = nil, false // indexer and builder still empty the bucket
		}
		st.grant(f, may)
	}
	st.grantOpenSearch()
	allowSecret(st.functions.webhook, st.secrets.webhook)
	allowSecret(st.functions.worker, st.secrets.gitlabToken)
	allowSecret(st.functions.crawler, st.secrets.gitlabToken)
	if st.settings.Embedder == "bedrock" {
		model := st.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("bedrock"), Account: jsii.String(""),
			Resource: jsii.String("foundation-model"), ResourceName: &st.settings.EmbedderModel,
		})
		for _, f := range st.embedding() {
			allow(f.Role(), []string{"bedrock:InvokeModel"}, model)
		}
	}
	if st.secrets.embedderAPIKey != nil {
		for _, f := range st.embedding() {
			allowSecret(f, st.secrets.embedderAPIKey)
		}
	}
}

// embedding are the functions that call the embedder. The search function embeds queries.
func (st *stack) embedding() []function {
	return []function{st.functions.docs, st.functions.embed, st.functions.search}
}

func (st *stack) grant(f function, granted access.Function) {
	for _, t := range granted.Tables {
		table := st.tables.of(t.Table)
		allow(f.Role(), t.Actions, table.TableArn())
		for _, index := range t.Indexes {
			allow(f.Role(), []string{access.Query}, jsii.String(access.Index(*table.TableArn(), index)))
		}
	}
	for _, stream := range granted.Streams {
		allow(f.Role(), access.ReadStream(), st.streamOf(stream))
		allow(f.Role(), []string{access.ListStreams}, jsii.String("*")) // it takes no resource
	}
	if arns := st.queueARNs(granted.Receives); len(arns) > 0 {
		allow(f.Role(), access.Receive(), arns...)
	}
	if arns := st.queueARNs(granted.Counts); len(arns) > 0 {
		allow(f.Role(), []string{access.Count}, arns...)
	}
	if arns := st.queueARNs(granted.Sends); len(arns) > 0 {
		allow(f.Role(), []string{access.Send}, arns...)
	}
	if granted.Starts {
		allow(f.Role(), []string{access.Start}, st.machine.arn)
	}
	if len(granted.Objects) > 0 {
		allow(f.Role(), granted.Objects, jsii.String(*st.index.BucketArn()+"/*"))
		st.suppress(f.Role(), "AwsSolutions-IAM5", "Objects have generated names; nothing else is in this bucket.", "Resource::<"+st.indexID()+".Arn>/*")
	}
	if granted.Lists {
		allow(f.Role(), []string{access.ListBucket}, st.index.BucketArn())
	}
	for _, invoked := range st.functions.all() {
		if slices.Contains(granted.Invokes, invoked.spec.name) {
			allow(f.Role(), []string{access.Invoke}, invoked.FunctionArn())
		}
	}
}

// openSearchIndex is what the names of the stack's indexes in OpenSearch begin with.
func (st *stack) openSearchIndex() string { return st.name("search") }

// grantOpenSearch lets search, indexer and builder call the domain that has the index, with paths
// of this stack's indexes only.
func (st *stack) grantOpenSearch() {
	endpoint := st.settings.OpenSearchEndpoint
	if endpoint.Domain == "" {
		return // none, or one on this machine, whose requests are not signed
	}
	paths := endpoint.Domain + "/" + st.openSearchIndex() + "*"
	arn := st.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("es"), Region: &endpoint.Region, Resource: jsii.String("domain"), ResourceName: &paths,
	})
	account := cmp.Or(st.settings.Account, "<AWS::AccountId>")
	for f, actions := range map[*function][]string{&st.functions.search: access.QueryOpenSearch(), &st.functions.indexer: access.IndexOpenSearch(), &st.functions.builder: access.IndexOpenSearch()} {
		allow(f.Role(), actions, arn)
		st.suppress(f.Role(), "AwsSolutions-IAM5", "Each index has a generated name behind the stack's.", "Resource::arn:<AWS::Partition>:es:"+endpoint.Region+":"+account+":domain/"+paths)
	}
}

func (st *stack) queueARNs(names []string) (arns []*string) {
	queues := map[string]awssqs.Queue{
		access.Requests: st.queues.requests, access.Hides: st.queues.hides, access.Bulk: st.queues.bulk, access.DeadLetters: st.queues.deadLetters,
		access.FeedFailures: st.queues.feedFailures,
	}
	for _, name := range names {
		arns = append(arns, queues[name].QueueArn())
	}
	return arns
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
