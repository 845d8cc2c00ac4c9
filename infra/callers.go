package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/infra/access"
)

// newCallerPolicies makes the managed policies of those who call the API and use lore,
// for an operator to attach. They are global, so their names end with the region.
func (st *stack) newCallerPolicies(api httpAPI) {
	st.callerPolicy("Reader", "reads every copy and every log, and changes nothing", access.Reader(), api)
	st.callerPolicy("Operator", "may call every route, read every log, and rotate the webhook tokens", access.Operator(), api)
}

func (st *stack) callerPolicy(id, about string, c access.Caller, api httpAPI) {
	policy := awsiam.NewManagedPolicy(st.Stack, jsii.String(id+"Policy"), &awsiam.ManagedPolicyProps{
		ManagedPolicyName: jsii.String(st.name(c.Name) + "-" + *st.Region()),
		Description:       jsii.String("Lorehook: " + about),
	})
	add := func(actions []string, resources ...*string) {
		if len(actions) > 0 {
			policy.AddStatements(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &resources}))
		}
	}
	var routes, logs []*string
	for _, method := range c.Methods {
		routes = append(routes, jsii.String(strings.Join([]string{"arn:" + *st.Partition() + ":execute-api", *st.Region(), *st.Account(), *api.id}, ":")+"/*/"+method+"/v1/*"))
	}
	for _, f := range st.functions.all() {
		logs = append(logs, f.logs.LogGroupArn())
	}
	add([]string{access.InvokeAPI}, routes...)
	add(c.Everything, jsii.String("*"))
	add(c.Logs, logs...)
	add(c.WebhookSecret, st.secrets.webhook)
	st.suppress(policy, "AwsSolutions-IAM5", "A route has parameters, and neither the list of log groups nor the account's settings are the stack's.")
	st.out(id+"PolicyArn", policy.ManagedPolicyArn())
}
