package cost

import (
	"maps"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/infra/prices"
)

// The assumptions of the model, beside the latencies. None was measured on AWS.
const (
	// pollers is how many long polls Lambda has open on a queue whose concurrency is
	// limited, and fewPollers on another while nothing arrives ("Configuring scaling
	// behavior for SQS event source mappings"; for FIFO queues it says nothing).
	pollers, fewPollers = 5, 2
	// pollSeconds is how long a poll waits for a message.
	pollSeconds = 20
	// charactersPerToken of English text, by AWS's own rule of thumb.
	charactersPerToken = 4.7
	// keyMinutes is how long DynamoDB keeps a table's key for a role.
	keyMinutes = 5
	// secretSeconds is the time between two readings of a secret by a busy function.
	secretSeconds = 30
)

// processing is the processor time of an invocation on one vCPU, from make cost, whose
// measurements differ from machine to machine. A function has a share of a vCPU by its
// memory.
const (
	processing = 5 * time.Millisecond
	vCPUMemory = 1769.0
)

// Dollars is a sum by what it is paid for.
type Dollars map[string]float64

// What is paid for, in the order of the tables.
const (
	forSecrets   = "Secrets Manager"
	forAlarms    = "alarms"
	forDashboard = "dashboard"
	forMetrics   = "metrics"
	forPolling   = "polling of empty queues"
	forDynamoDB  = "DynamoDB"
	forLambda    = "Lambda"
	forSQS       = "SQS"
	forWorkflow  = "Step Functions"
	forGateway   = "API Gateway"
	forLogs      = "logs"
	forTraces    = "traces"
	forS3        = "S3"
	forEmbedding = "embedding"
	forKeys      = "KMS"
)

var order = []string{forSecrets, forAlarms, forDashboard, forMetrics, forPolling, forDynamoDB, forLambda, forSQS, forWorkflow, forGateway, forLogs, forTraces, forS3, forEmbedding, forKeys}

// Sum is all of it.
func (d Dollars) Sum() (sum float64) {
	for _, name := range slices.Sorted(maps.Keys(d)) {
		sum += d[name]
	}
	return sum
}

// seconds is how long the invocations of a function last together.
func seconds(u Used, f Function) float64 {
	total := u.Invocations * processing.Seconds() / min(1, f.MemoryMB/vCPUMemory)
	for to, n := range u.Calls {
		total += n * latencyOf(to).Seconds()
	}
	return total
}

// price returns what the counted costs on the stack, and how long the workflow lasts. A
// naive workflow is a standard one.
func (s Stack) price(c Counted, naive bool) Dollars {
	d := Dollars{}
	writes, reads := c.Units()
	d[forDynamoDB] = writes*prices.WriteUnit + reads*prices.ReadUnit
	var bytes, workflow float64
	for name, u := range c.Functions {
		f := s.Functions[name]
		took := seconds(u, f)
		d[forLambda] += u.Invocations*prices.LambdaRequest + took*(f.MemoryMB/1024*prices.LambdaGBSecond+f.StorageMB/1024*prices.StorageGBSecond)
		bytes += u.Log + u.Metrics + u.Invocations*platform()
		if name == "docs" || name == "embed" || name == "finish" {
			workflow += took
		}
	}
	bytes += c.Gateway * sizeOf(accessLine)
	d[forSQS] = (c.Calls(toSQS) + 2*c.Received) * prices.FIFORequest
	if naive {
		d[forWorkflow] = c.States * prices.StandardTransition
	} else {
		d[forWorkflow] = c.Executions*prices.ExpressRequest + workflow*prices.ExpressMemoryGB*prices.ExpressGBSecond
	}
	d[forGateway] = c.Gateway * prices.GatewayRequest
	d[forLogs] = logs(bytes)
	d[forS3] = c.Calls(toS3)*prices.ObjectPut + c.Calls(toS3Get)*prices.ObjectGet
	d[forEmbedding] = c.Characters / charactersPerToken * prices.EmbeddedToken
	return d
}

// logs is the price of ingesting so many bytes, and of keeping them for a month.
func logs(bytes float64) float64 {
	return bytes / 1e9 * (prices.LogsIngestedGB + prices.LogsCompression*prices.LogsStoredGBMonth)
}

// idle is a month in which nothing happens, given an hour of it.
func (s Stack) idle(hour Counted) Dollars {
	month := s.price(hour.times(prices.HoursOfMonth), false)
	month[forSecrets] = float64(s.Secrets)*prices.SecretMonth + prices.HoursOfMonth*secretReadsOfIdleHour*prices.SecretRead
	month[forAlarms] = float64(s.AlarmMetrics) * prices.AlarmMetricMonth
	month[forDashboard] = float64(s.Dashboards) * prices.DashboardMonth
	month[forMetrics] = hour.Series * prices.MetricMonth
	polls := prices.HoursOfMonth * 3600 / pollSeconds
	month[forPolling] = polls * (pollers*float64(s.PolledFIFO)*prices.FIFORequest + fewPollers*float64(s.PolledStandard)*prices.StandardRequest)
	for name, u := range hour.Functions {
		if s.Functions[name].Traced {
			month[forTraces] += prices.HoursOfMonth * u.Invocations * prices.TraceRecorded
		}
	}
	if s.ManagedKeys > 0 {
		month[forKeys] = prices.HoursOfMonth * 60 / keyMinutes * hour.Keys * prices.KeyRequest
	}
	return month
}

// secretReadsOfIdleHour is how often the crawler reads GitLab's token: with each
// reconcile, and with the check of the hook.
const secretReadsOfIdleHour = 60/5 + 1

// million is a million of what was counted, spread over a month, each made known by a
// webhook. Traces are of the kind that a stack has whose events come in bursts.
func (s Stack) million(one Counted, naive bool) Dollars {
	d := s.busy(one, 1e6, naive)
	busy := 2.0 // webhook and worker
	d[forSecrets] = busy * prices.HoursOfMonth * 3600 / secretSeconds * prices.SecretRead
	return d
}

// busy is n of what was counted, with the traces of a stack whose events come in bursts.
func (s Stack) busy(one Counted, n float64, naive bool) Dollars {
	d := s.price(one.times(n), naive)
	for name, u := range one.Functions {
		if s.Functions[name].Traced && (name == "webhook" || name == "worker") {
			d[forTraces] += n * u.Invocations * prices.TracesSampled * prices.TraceRecorded
		}
	}
	return d
}

// Price returns what n of the counted cost on a busy stack, without what passing time
// costs.
func (s Stack) Price(one Counted, n float64) Dollars { return s.busy(one, n, false) }

// Running returns what so many seconds of the function cost, without its requests.
func (s Stack) Running(function string, seconds float64) float64 {
	f := s.Functions[function]
	return seconds * (f.MemoryMB/1024*prices.LambdaGBSecond + f.StorageMB/1024*prices.StorageGBSecond)
}

// Seconds returns how long the function's invocations last for what was counted.
func (s Stack) Seconds(c Counted, function string) float64 {
	return seconds(c.Functions[function], s.Functions[function])
}
