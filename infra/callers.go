package main

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/infra/access"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// newCallerPolicies makes the managed policies of those who call the API and use lore,
// for an operator to attach. They are global, so their names end with the region.
func (st *stack) newCallerPolicies(api httpAPI, workflowLogs awslogs.LogGroup) {
	about := map[string]string{
		"reader":   "reads every copy and every log, and changes nothing",
		"operator": "may call every route, read every log, and store the secrets",
		"oncall":   "may, beside the operator's policy, run every command of the runbooks",
	}
	resources, conditions := st.resourcesOfCallers(api, workflowLogs), st.conditionsOfCallers()
	for _, c := range access.Callers() {
		id := strings.ToUpper(c.Name[:1]) + c.Name[1:] + "Policy"
		policy := awsiam.NewManagedPolicy(st.Stack, &id, &awsiam.ManagedPolicyProps{
			ManagedPolicyName: jsii.String(st.name(c.Name) + "-" + *st.Region()),
			Description:       jsii.String("Lorehook: " + about[c.Name]),
		})
		add := func(actions []string, resources []*string, conditions *map[string]any) {
			if len(resources) == 0 {
				return // no route
			}
			policy.AddStatements(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &resources, Conditions: conditions}))
		}
		add([]string{access.InvokeAPI}, st.routes(api, c.Methods), nil)
		for _, g := range c.Grants {
			add(g.Actions, resources[g.On], conditions[g.On])
		}
		st.suppress(policy, "AwsSolutions-IAM5", "A route has parameters, a log group has streams, the names of functions and of their logs begin with the stack's, and some actions take no resource.")
		st.out(id+"Arn", policy.ManagedPolicyArn())
	}
}

// routes are those below /v1 with the methods.
func (st *stack) routes(api httpAPI, methods []string) (arns []*string) {
	for _, method := range methods {
		arns = append(arns, jsii.String(strings.Join([]string{"arn:" + *st.Partition() + ":execute-api", *st.Region(), *st.Account(), *api.id}, ":")+"/*/"+method+"/v1/*"))
	}
	return arns
}

// resourcesOfCallers are the ARNs of each kind of resource.
func (st *stack) resourcesOfCallers(api httpAPI, workflowLogs awslogs.LogGroup) map[access.Resource][]*string {
	arns := map[access.Resource][]*string{
		access.Anything:        {jsii.String("*")},
		access.TheStack:        {st.StackId()},
		access.NamedLogs:       {st.arnOfName("logs", "log-group", st.name("*"))},
		access.NamedFunctions:  {st.arnOfName("lambda", "function", st.name("*"))},
		access.ServiceLogs:     {api.logs.LogGroupArn(), workflowLogs.LogGroupArn()},
		access.RequestsQueue:   st.queueARNs([]string{access.Requests}),
		access.HidesQueue:      st.queueARNs([]string{access.Hides}),
		access.DeadLetterQueue: st.queueARNs([]string{access.DeadLetters}),
		access.TheWorkflow:     {st.machine.arn},
		access.StateTable:      {st.tables.of(tables.State()).TableArn()},
		access.WebhookSecret:   {st.secrets.webhook},
		access.GitLabSecret:    {st.secrets.gitlabToken},
		access.AllSecrets:      st.secrets.all(),
	}
	add := func(r access.Resource, arn *string) { arns[r] = append(arns[r], arn) }
	for _, f := range st.functions.all() {
		add(access.FunctionLogs, f.logs.LogGroupArn())
	}
	for _, m := range st.mappings {
		add(access.Mappings, m.EventSourceMappingArn())
	}
	for _, r := range st.rules {
		add(access.Rules, r.RuleArn())
	}
	for _, t := range st.tables {
		add(access.AllTables, t.TableArn())
	}
	return arns
}

// conditionsOfCallers are those of the actions on some kinds of resource. An update of a
// mapping may name another function, which the ARN of the mapping does not limit.
func (st *stack) conditionsOfCallers() map[access.Resource]*map[string]any {
	var started []*string
	for _, m := range st.mappings {
		if arn := m.starts.FunctionArn(); !slices.ContainsFunc(started, func(s *string) bool { return *s == *arn }) {
			started = append(started, arn)
		}
	}
	return map[access.Resource]*map[string]any{
		access.Mappings: {"ArnEquals": map[string]any{"lambda:FunctionArn": started}},
	}
}
