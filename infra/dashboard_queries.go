package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// Queries of Logs Insights. They name fields of logs.Fields alone.
const (
	failedRuns = `filter msg = "closed" and status = "failed"`

	failuresByCodeQuery = failedRuns + `
stats count(*) as runs, latest(@timestamp) as last, latest(run_id) as last_run by code, cause_code, stage
sort runs desc`

	lastFailuresQuery = failedRuns + `
fields @timestamp, code, cause_code, stage, origin, project_id, type, iid, run_id
sort @timestamp desc
limit 20`

	waits = `filter msg in ["postponed", "given_up", "paused"]`

	waitsByCodeQuery = waits + `
stats count(*) as attempts, latest(@timestamp) as last, latest(run_id) as last_run by msg, code
sort attempts desc`

	lastWaitsQuery = waits + `
fields @timestamp, msg, code, delay_ms, attempt, project_id, type, iid, run_id
sort @timestamp desc
limit 20`

	refusedQuery = `filter msg = "delivery" and (outcome = "refused" or outcome = "failed")
stats count(*) as webhooks, latest(@timestamp) as last by outcome, reason
sort webhooks desc`

	lastErrorsQuery = `filter level = "ERROR" or msg = "stage_failed"
fields @timestamp, msg, error_name, error, run_id, traceparent
sort @timestamp desc
limit 20`
)

func (st *stack) failuresByCode() awscloudwatch.IWidget {
	return st.query("Failed runs by code", failuresByCodeQuery, st.closers()...)
}

func (st *stack) lastFailures() awscloudwatch.IWidget {
	return st.query("The last failed runs", lastFailuresQuery, st.closers()...)
}

// whatWaits shows what GitLab's failures do, outages and time-outs among them,
// of which no metric tells.
func (st *stack) whatWaits() awscloudwatch.IWidget {
	return st.query("Attempts that GitLab failed, by code", waitsByCodeQuery, st.functions.worker)
}

func (st *stack) lastWaits() awscloudwatch.IWidget {
	return st.query("The last of them", lastWaitsQuery, st.functions.worker)
}

func (st *stack) refusedDeliveries() awscloudwatch.IWidget {
	return st.query("Webhooks refused or failed, by reason", refusedQuery, st.functions.webhook)
}

func (st *stack) lastErrors() awscloudwatch.IWidget {
	return st.query("The last errors of functions", lastErrorsQuery, st.functions.all()...)
}

// closers are the functions that end runs.
func (st *stack) closers() []function {
	return []function{st.functions.worker, st.functions.finish, st.functions.abort, st.functions.sweeper}
}

// query is a table of what a query finds in the logs of the functions.
func (st *stack) query(title, text string, in ...function) awscloudwatch.IWidget {
	var groups []*string
	for _, f := range in {
		groups = append(groups, f.logs.LogGroupName())
	}
	return awscloudwatch.NewLogQueryWidget(&awscloudwatch.LogQueryWidgetProps{
		Title: &title, LogGroupNames: &groups, QueryLines: jsii.Strings(strings.Split(text, "\n")...),
		View: awscloudwatch.LogQueryVisualizationType_TABLE, Width: jsii.Number(gridWidth / 2), Height: jsii.Number(graphHeight),
	})
}
