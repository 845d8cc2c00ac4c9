package main

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// nextStart is why nothing keeps a scheduled start that failed.
const nextStart = "The next scheduled start does the same work within minutes; alarms report a function that fails or falls silent."

// newSchedule starts the sweeper, the crawler and the indexer again and again. A start that fails is
// not repeated: the next one comes soon enough. RetryAttempts here governs what
// EventBridge delivers; what Lambda accepted and could not run is governed by the
// function's own retries and event age (functionSpec.restarted).
func (st *stack) newSchedule() {
	start := func(f function, interval time.Duration) {
		rule := awsevents.NewRule(st.Stack, jsii.String(f.id+"Schedule"), &awsevents.RuleProps{
			Description: jsii.String("Lorehook: starts the " + f.spec.name),
			Schedule:    awsevents.Schedule_Rate(awscdk.Duration_Minutes(jsii.Number(interval.Minutes()))),
			Targets: &[]awsevents.IRuleTarget{
				awseventstargets.NewLambdaFunction(f.Function, &awseventstargets.LambdaFunctionProps{RetryAttempts: jsii.Number(0)}),
			},
		})
		st.rules = append(st.rules, rule)
		st.suppress(rule, "Serverless-EventBusDLQ", nextStart)
	}
	start(st.functions.sweeper, surgical.SweepInterval)
	start(st.functions.crawler, surgical.CrawlInterval)
	start(st.functions.indexer, surgical.IndexInterval)
}
