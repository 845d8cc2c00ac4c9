package main

import (
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"

	"gitlab.com/lorehook/lorehook/infra/prices"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
)

// costRows show what the stack costs. logs are the log groups that do not belong to a
// function.
func (st *stack) costRows(api httpAPI, alarms int, logs ...awslogs.LogGroup) [][]awscloudwatch.IWidget {
	return [][]awscloudwatch.IWidget{
		st.question("What does it cost?", fmt.Sprintf("Estimates at list prices (%s); [docs/cost.md](%s) has figures for a million changes. "+
			"%s %s The current hour is still incomplete.", prices.Of, costPage, st.embeddingCaveat(), notEstimated())),
		{
			graph{title: "Estimated cost per hour", width: 12, stacked: true, unit: "$", left: st.estimates(api, alarms, logs)}.widget(),
			graph{title: "Write units", width: 12, unit: "units", left: append(st.ofTablesAndIndexes("ConsumedWriteCapacityUnits", ""),
				st.own(metrics.ContentWriteUnits(), series{stat: sum, label: "commits, as counted by Lorehook", color: grey}))}.widget(),
		},
		{
			graph{title: "Regenerated documents", width: 12, unit: "documents", left: []awscloudwatch.IMetric{
				st.own(metrics.DocumentsRegenerated(), series{stat: sum, label: "documents", color: blue}),
			}}.widget(),
			graph{title: "Embedded chunks", width: 12, unit: "chunks", left: []awscloudwatch.IMetric{
				st.own(metrics.ChunksEmbedded(), series{stat: sum, label: "chunks", color: green}),
			}}.widget(),
		},
	}
}

// embeddingCaveat says what the estimates contain of the embedder's costs.
func (st *stack) embeddingCaveat() string {
	if st.settings.Embedder == "bedrock" {
		return "Bedrock's part is all that the account embeds with this model."
	}
	return "Embeddings are not included."
}

// thousandCopies is what 1,000 copies of issues with five comments cost a month to keep,
// by make cost.
const thousandCopies = 0.01

// notEstimated says what has no metric by the hour, and how much that is.
func notEstimated() string {
	return fmt.Sprintf("Not included: stored data ($%.2f a GB and month in tables, $%.3f in the search index; 1,000 issues with 5 comments: $%.2f) and log queries ($%.3f a GB).",
		prices.TableGBMonth+prices.RecoveryGBMonth, prices.ObjectGBMonth, thousandCopies, prices.LogsScannedGB)
}

// estimates are costs in dollars per hour, by service.
func (st *stack) estimates(api httpAPI, alarms int, logs []awslogs.LogGroup) []awscloudwatch.IMetric {
	all := []awscloudwatch.IMetric{
		st.dynamoEstimate(), st.lambdaEstimate(), st.logsEstimate(logs), st.metricsEstimate(), st.queuesEstimate(), st.workflowEstimate(), gatewayEstimate(api),
	}
	if st.settings.Embedder == "bedrock" {
		all = append(all, bedrockEstimate())
	}
	all = append(all, st.keysEstimate(), st.readingsEstimate())
	if st.settings.OpenSearchEndpoint.URL == "" {
		all = append(all, st.objectsEstimate())
	}
	if st.settings.Tracing == "active" {
		all = append(all, st.tracesEstimate())
	}
	return append(all, st.constantEstimate(alarms))
}

// hourly sums terms, each a metric multiplied by a price.
type hourly struct {
	prefix string
	terms  []string
	using  map[string]awscloudwatch.IMetric
}

func newHourly(prefix string) *hourly {
	return &hourly{prefix: prefix, using: map[string]awscloudwatch.IMetric{}}
}

func (h *hourly) add(m awscloudwatch.IMetric, price float64) {
	h.terms = append(h.terms, fmt.Sprintf("FILL(%s,0)*%.12f", h.use(m), price))
}

// use returns the id of a metric in the expression.
func (h *hourly) use(m awscloudwatch.IMetric) string {
	id := fmt.Sprintf("%s%d", h.prefix, len(h.terms))
	h.using[id] = m
	return id
}

func (h *hourly) metric(label string) awscloudwatch.IMetric {
	return expression(strings.Join(h.terms, "+"), label, h.using, 3600)
}

func hourlySum() series { return series{stat: sum, seconds: 3600} }

func (st *stack) dynamoEstimate() awscloudwatch.IMetric {
	h := newHourly("d")
	for _, t := range st.tables {
		h.add(t.of("ConsumedWriteCapacityUnits", "", hourlySum()), prices.WriteUnit)
		h.add(t.of("ConsumedReadCapacityUnits", "", hourlySum()), prices.ReadUnit)
		for _, index := range t.schema.Indexes {
			h.add(t.of("ConsumedWriteCapacityUnits", index.Name, hourlySum()), prices.WriteUnit)
			h.add(t.of("ConsumedReadCapacityUnits", index.Name, hourlySum()), prices.ReadUnit)
		}
	}
	return h.metric("DynamoDB")
}

func (st *stack) lambdaEstimate() awscloudwatch.IMetric {
	h := newHourly("l")
	for _, f := range st.functions.all() {
		storage := max(0, f.spec.storage-prices.FreeStorageMB)
		perSecond := (prices.LambdaGBSecond*float64(f.spec.memory) + prices.StorageGBSecond*float64(storage)) / 1024
		h.add(f.of("Duration", hourlySum()), perSecond/1000)
		h.add(f.of("Invocations", hourlySum()), prices.LambdaRequest)
	}
	return h.metric("Lambda")
}

// logsEstimate is the price of ingesting logs, and of keeping them for a month.
func (st *stack) logsEstimate(groups []awslogs.LogGroup) awscloudwatch.IMetric {
	h := newHourly("b")
	for _, f := range st.functions.all() {
		groups = append(groups, f.logs)
	}
	for _, g := range groups {
		s := hourlySum()
		s.dims = map[string]*string{"LogGroupName": g.LogGroupName()}
		h.add(metric("AWS/Logs", "IncomingBytes", s), (prices.LogsIngestedGB+prices.LogsCompression*prices.LogsStoredGBMonth)/1e9)
	}
	return h.metric("logs")
}

// metricsEstimate charges every combination of dimensions in the hours in which it has
// data: m*0+1 is 1 then.
func (st *stack) metricsEstimate() awscloudwatch.IMetric {
	h := newHourly("m")
	for _, m := range metrics.All() {
		for _, set := range m.Sets {
			for _, dims := range combinations(set) {
				id := h.use(st.own(m, series{stat: "SampleCount", seconds: 3600, dims: dims}))
				h.terms = append(h.terms, fmt.Sprintf("FILL(%s*0+1,0)", id))
			}
		}
	}
	return expression(fmt.Sprintf("(%s)*%.6f", strings.Join(h.terms, "+"), prices.MetricMonth/prices.HoursOfMonth), "custom metrics", h.using, 3600)
}

// combinations returns every combination of values of the dimensions.
func combinations(set []metrics.Dimension) []map[string]*string {
	all := []map[string]*string{{}}
	for _, d := range set {
		var longer []map[string]*string
		for _, shorter := range all {
			for _, value := range d.Values() {
				next := dim(d, value)
				maps.Copy(next, shorter)
				longer = append(longer, next)
			}
		}
		all = longer
	}
	return all
}

// queuesEstimate counts each message as a request to send, to receive and to delete it,
// although workers receive several at once, and each poll of an empty queue.
func (st *stack) queuesEstimate() awscloudwatch.IMetric {
	h := newHourly("q")
	for _, queue := range []struct {
		awssqs.Queue
		price float64
	}{
		{st.queues.requests, prices.FIFORequest}, {st.queues.hides, prices.FIFORequest}, {st.queues.bulk, prices.FIFORequest},
		{st.queues.deadLetters, prices.FIFORequest}, {st.queues.feedFailures, prices.StandardRequest},
	} {
		for _, name := range []string{"NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted", "NumberOfEmptyReceives"} {
			h.add(queueMetric(queue.Queue, name, hourlySum()), queue.price)
		}
	}
	return h.metric("SQS, polling included")
}

func (st *stack) workflowEstimate() awscloudwatch.IMetric {
	h := newHourly("w")
	h.add(st.machine.of("ExecutionsStarted", hourlySum()), prices.ExpressRequest)
	h.add(st.machine.of("ExpressExecutionBilledDuration", hourlySum()), prices.ExpressMemoryGB*prices.ExpressGBSecond/1000)
	return h.metric("Step Functions")
}

func gatewayEstimate(api httpAPI) awscloudwatch.IMetric {
	h := newHourly("g")
	s := hourlySum()
	s.dims = map[string]*string{"ApiId": api.id}
	h.add(metric("AWS/ApiGateway", "Count", s), prices.GatewayRequest)
	return h.metric("API Gateway")
}

// bedrockEstimate is of the whole account, because Bedrock's metrics do not say who
// called.
func bedrockEstimate() awscloudwatch.IMetric {
	h := newHourly("t")
	s, model := hourlySum(), titan
	s.dims = map[string]*string{"ModelId": &model}
	h.add(metric("AWS/Bedrock", "InputTokenCount", s), prices.EmbeddedToken)
	return h.metric("Bedrock")
}

// constantEstimate is what is paid for in every hour, whatever happens.
func (st *stack) constantEstimate(alarms int) awscloudwatch.IMetric {
	month := float64(alarms)*prices.AlarmMetricMonth + float64(len(st.secrets.all()))*prices.SecretMonth + prices.DashboardMonth
	return expression(fmt.Sprintf("TIME_SERIES(%.6f)", month/prices.HoursOfMonth), "alarms, dashboard, secrets", map[string]awscloudwatch.IMetric{}, 3600)
}
