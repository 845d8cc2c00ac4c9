package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
)

// Logs Insights queries. They use only fields listed in logs.Fields.
const (
	failedRuns = `filter msg = "closed" and status = "failed"`

	failuresByCodeQuery = failedRuns + `
stats count(*) as runs, latest(@timestamp) as last, latest(run_id) as last_run by code, cause_code, stage
sort runs desc`

	lastFailuresQuery = failedRuns + `
fields @timestamp, code, cause_code, stage, origin, project_id, type, iid, run_id
sort @timestamp desc
limit 20`

	waitsQuery = `filter msg in ["postponed", "paused", "given_up"]
stats count(*) as times, max(delay_ms) as longest_delay_ms, latest(@timestamp) as last by msg, code
sort times desc`

	refusedQuery = `filter msg = "delivery" and (outcome = "` + metrics.OutcomeRefused + `" or outcome = "` + metrics.OutcomeFailed + `")
stats count(*) as webhooks, latest(@timestamp) as last by outcome, reason
sort webhooks desc`

	lastErrorsQuery = `filter level = "ERROR" or msg = "stage_failed"
fields @timestamp, msg, error_name, error, run_id, traceparent
sort @timestamp desc
limit 20`
)

func (st *stack) waits() awscloudwatch.IWidget {
	return st.query("Attempts postponed or given up, by code", waitsQuery, st.functions.worker)
}

func (st *stack) failuresByCode() awscloudwatch.IWidget {
	return st.query("Failed runs by code", failuresByCodeQuery, st.closers()...)
}

func (st *stack) lastFailures() awscloudwatch.IWidget {
	return st.query("Latest failed runs", lastFailuresQuery, st.closers()...)
}

func (st *stack) refusedDeliveries() awscloudwatch.IWidget {
	return st.query("Refused or failed webhooks, by reason", refusedQuery, st.functions.webhook)
}

func (st *stack) lastErrors() awscloudwatch.IWidget {
	return st.query("Latest function errors", lastErrorsQuery, st.functions.all()...)
}

// closers are the functions that close runs as failed and log it. Docs closes only runs
// that succeeded.
func (st *stack) closers() []function {
	return []function{st.functions.worker, st.functions.finish, st.functions.abort, st.functions.sweeper}
}

// query is a table with the result of a query over the functions' logs.
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
