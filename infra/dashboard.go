package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

// A dashboard's grid is gridWidth columns wide; graphs are graphHeight high.
const (
	gridWidth   = 24
	graphHeight = 6
)

// newDashboard answers an operator's questions, one per section, the most urgent
// first, with the alarms at the top.
func (st *stack) newDashboard(alarms []awscloudwatch.Alarm, api httpAPI, workflowLogs awslogs.LogGroup) {
	// Dashboards are global in an account: without the region, the same stack in
	// two regions would overwrite its own.
	name := st.name(*st.Region())
	d := awscloudwatch.NewDashboard(st.Stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName:   &name,
		DefaultInterval: awscdk.Duration_Hours(jsii.Number(3)),
		// A sum is meaningful only if its period is known: always five minutes, or
		// an hour for dollars, whatever the zoom.
		PeriodOverride: awscloudwatch.PeriodOverride_INHERIT,
	})
	rows := [][]awscloudwatch.IWidget{alarmRow(alarms)}
	rows = append(rows, st.lossRows()...)
	rows = append(rows, st.runRows()...)
	rows = append(rows, st.freshRows()...)
	rows = append(rows, st.gitlabRows()...)
	rows = append(rows, st.serviceRows()...)
	rows = append(rows, st.costRows(api, len(alarms), api.logs, workflowLogs)...)
	for _, row := range rows {
		d.AddWidgets(row...)
	}
	awscdk.NewCfnOutput(st.Stack, jsii.String("DashboardUrl"), &awscdk.CfnOutputProps{Value: jsii.String(fmt.Sprintf(
		"https://%[1]s.console.aws.amazon.com/cloudwatch/home?region=%[1]s#dashboards/dashboard/%[2]s", *st.Region(), name))})
}

// customWidgetRow shows the run ledger, rendered by a function that CloudWatch
// invokes with the viewer's own permissions.
func customWidgetRow(fn awslambda.IFunction) []awscloudwatch.IWidget {
	return []awscloudwatch.IWidget{awscloudwatch.NewCustomWidget(&awscloudwatch.CustomWidgetProps{
		Title: jsii.String("Runs"), FunctionArn: fn.FunctionArn(), Width: jsii.Number(gridWidth), Height: jsii.Number(14),
		Params:          map[string]any{"view": "overview", "limit": 10},
		UpdateOnRefresh: jsii.Bool(true), UpdateOnResize: jsii.Bool(true), UpdateOnTimeRangeChange: jsii.Bool(true),
	})}
}

func alarmRow(alarms []awscloudwatch.Alarm) []awscloudwatch.IWidget {
	var refs []interfacesawscloudwatch.IAlarmRef
	for _, a := range alarms {
		refs = append(refs, a)
	}
	return []awscloudwatch.IWidget{awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
		Title: jsii.String("Alarms"), Alarms: &refs, SortBy: awscloudwatch.AlarmStatusWidgetSortBy_STATE_UPDATED_TIMESTAMP,
		Width: jsii.Number(gridWidth), Height: jsii.Number(5),
	})}
}

// question is a section's header: the question, how to read the answer, and
// links to the runbooks of its alarms.
func (st *stack) question(question, reading string, runbooks ...string) []awscloudwatch.IWidget {
	var links []string
	for _, name := range runbooks {
		links = append(links, fmt.Sprintf("[%s](%s)", name, st.runbook(name)))
	}
	text := "## " + question + "\n" + reading
	if len(links) > 0 {
		text += " Runbooks: " + strings.Join(links, " · ")
	}
	return []awscloudwatch.IWidget{awscloudwatch.NewTextWidget(&awscloudwatch.TextWidgetProps{
		Markdown: &text, Width: jsii.Number(gridWidth), Height: jsii.Number(2), Background: awscloudwatch.TextWidgetBackground_TRANSPARENT,
	})}
}

// Metrics of time are in milliseconds, which an axis would count in thousands and
// millions.
const (
	perSecond = 1000
	perMinute = 60 * perSecond
)

// graph holds what differs between graphs. All of a graph's metrics have its unit.
type graph struct {
	title string
	width float64
	left  []awscloudwatch.IMetric
	// limit is drawn as a line labelled limitName, if that is set.
	limit     float64
	limitName string
	stacked   bool
	unit      string
	// per is how many of the metrics' units one of the graph's is; 0 if they are the same.
	per float64
}

func (g graph) widget() awscloudwatch.IWidget {
	if g.per != 0 {
		g.left = divided(g.left, g.per)
	}
	props := &awscloudwatch.GraphWidgetProps{
		Title: &g.title, Width: &g.width, Height: jsii.Number(graphHeight), Left: &g.left, Stacked: &g.stacked,
		LeftYAxis: &awscloudwatch.YAxisProps{Min: jsii.Number(0), ShowUnits: jsii.Bool(false), Label: &g.unit},
	}
	if g.limitName != "" {
		props.LeftAnnotations = &[]*awscloudwatch.HorizontalAnnotation{{Value: &g.limit, Label: &g.limitName, Color: awscloudwatch.Color_RED()}}
	}
	return awscloudwatch.NewGraphWidget(props)
}

// divided returns metrics in another unit, which is so many of their own.
func divided(metrics []awscloudwatch.IMetric, per float64) (all []awscloudwatch.IMetric) {
	for i, m := range metrics {
		id := fmt.Sprintf("m%d", i)
		own := m.(awscloudwatch.Metric)
		all = append(all, awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression: jsii.String(fmt.Sprintf("%s/%g", id, per)), Label: own.Label(), Color: own.Color(), Period: own.Period(),
			UsingMetrics: &map[string]awscloudwatch.IMetric{id: own},
		}))
	}
	return all
}

// number shows the latest values in large type.
func number(title string, width float64, shown ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewSingleValueWidget(&awscloudwatch.SingleValueWidgetProps{
		Title: &title, Width: &width, Height: jsii.Number(graphHeight), Metrics: &shown, Sparkline: jsii.Bool(true), SetPeriodToTimeRange: jsii.Bool(false),
	})
}
