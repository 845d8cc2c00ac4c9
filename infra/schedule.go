package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// newSchedule starts the sweeper every [surgical.SweepInterval]. A start that fails
// is not repeated: the next one comes soon enough. RetryAttempts here governs what
// EventBridge delivers; what Lambda accepted and could not run is governed by the
// function's own retries and event age (functionSpec.scheduled).
func (st *stack) newSchedule() {
	awsevents.NewRule(st.Stack, jsii.String("SweeperSchedule"), &awsevents.RuleProps{
		Description: jsii.String("Lorehook: starts the sweeper"),
		Schedule:    awsevents.Schedule_Rate(awscdk.Duration_Minutes(jsii.Number(surgical.SweepInterval.Minutes()))),
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewLambdaFunction(st.functions.sweeper.Function, &awseventstargets.LambdaFunctionProps{RetryAttempts: jsii.Number(0)}),
		},
	})
}
