package cost

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/console"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/dashboard"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	fakesqs "gitlab.com/lorehook/lorehook/test/fake/sqs"
	"gitlab.com/lorehook/lorehook/test/metricstest"
)

const (
	// Watched is how many minutes are recorded, after warm or as many: the first check of
	// the hook comes after an hour.
	Watched, warm = 360, 65
	// tick is the time between two polls of the queues.
	tick = 5 * time.Second
	// watchedIssues are the issues that change.
	watchedIssues = 40
	// stateMachine is the name of the workflow.
	stateMachine = "StateMachineArn=lorehook-workflow"
)

const aboutWatch = "Six hours of a stack with one project in simulated time, recorded by make dashboard RECORD=1 (test/cost/watch.go): " +
	"the metrics and units are what the functions emitted and used; durations follow the latencies that test/cost assumes, as do polls of empty queues. " +
	"In these hours GitLab limits its rate, loses some webhooks, sends some with a wrong token, denies access to one issue, and deletes another."

// notable are the lines that the dashboard's queries look for.
var notable = regexp.MustCompile(`"level":"ERROR"|"msg":"(stage_failed|postponed|paused|given_up)"|"msg":"closed".*"status":"failed"|"msg":"delivery".*"outcome":"(refused|failed)"`)

// timeOfLine is the time of this machine, where the logger takes it from.
var timeOfLine = regexp.MustCompile(`"time":"[^"]*"`)

// watch records the metrics of a world.
type watch struct {
	*world
	stack     Stack
	recording dashboard.Recording
	random    *mathrand.Rand
	// executed is how long the functions of the workflow have taken since it was reset,
	// and executions how many there were until then.
	executed   time.Duration
	executions float64
	// characters is how many had been embedded.
	characters float64
}

// Watch runs the stack for [Watched] minutes, or fewer, in which not everything goes
// well, and returns the metrics that CloudWatch would have.
func Watch(t cloud.TB, stack Stack, minutes int) dashboard.Recording {
	w := &watch{world: newWorld(t), stack: stack, random: mathrand.New(mathrand.NewPCG(1, 2))}
	w.passing = w.Clock
	w.observe, w.consumed = w.invocation, w.units
	w.Around = w.sending
	w.Functions.Crawler.Listed, w.Functions.Crawler.Census = []int64{fakegitlab.ProjectID}, 0
	for i := range int64(watchedIssues + 1) {
		w.discussed(fakegitlab.IssueRef(1000+i), 5)
	}
	w.hooked()
	for range min(warm, minutes) {
		w.minuteOf(0)
	}
	w.Clock.AdvanceTo(w.Clock.Now().Truncate(time.Hour).Add(time.Hour))
	w.recording = dashboard.Recording{About: aboutWatch, Start: w.Clock.Now().Truncate(time.Hour), Bins: int(time.Duration(minutes) * time.Minute / dashboard.Bin), Lines: map[string][]string{}}
	for m := range minutes {
		w.happen(m)
		w.minuteOf(1 + 2*min(m, Watched-m)/(Watched/2))
	}
	for key := range w.recording.Series {
		switch {
		case strings.HasPrefix(key, "AWS/SQS Approximate"):
			w.recording.Shorten(key, "Maximum")
		case strings.HasPrefix(key, "AWS/") && !strings.HasPrefix(key, "AWS/Lambda Duration"):
			w.recording.Shorten(key, "Sum")
		}
	}
	w.recording.Ledger = w.ledger()
	return w.recording
}

// happen is what goes wrong in a minute.
func (w *watch) happen(minute int) {
	switch minute {
	case 60: // until the end of an hour, GitLab allows few requests
		w.GitLab.SetBudget(14, time.Minute)
	case 85:
		w.GitLab.SetBudget(0, 0)
	case 170, 171, 172: // no webhook about this change arrives
		w.Clock.Advance(time.Second)
		w.comments++
		w.GitLab.AddDiscussion(w.one(), fakegitlab.Note{Body: comment(1000 + w.comments)})
	case 230, 232, 233, 236:
		w.post(w.sample(w.one()), "wrong-token")
	case 280, 281, 290:
		ref := fakegitlab.IssueRef(1000 + int64(minute)%watchedIssues)
		w.GitLab.Inject(fakegitlab.Fault{Ref: ref, Requests: 5, Status: http.StatusForbidden})
		w.post(w.sample(ref), hookToken)
	case 320:
		ref := fakegitlab.IssueRef(1000 + watchedIssues) // which nothing else changes
		body := w.sample(ref)
		w.GitLab.Delete(ref)
		w.post(body, hookToken)
	}
}

func (w *watch) one() surgical.EntityRef {
	return fakegitlab.IssueRef(1000 + w.random.Int64N(watchedIssues))
}

// minuteOf is a minute with about this many changes.
func (w *watch) minuteOf(changes int) {
	ends := w.Clock.Now().Truncate(time.Minute).Add(time.Minute)
	w.must(w.invoke("sweeper", func(ctx context.Context) error {
		_, err := w.Sweeper.Handle(ctx)
		return err
	}))
	w.must(w.invoke("crawler", func(ctx context.Context) error {
		_, err := w.Functions.Crawler.Handle(ctx)
		return err
	}))
	ticks := int(time.Minute / tick)
	for range ticks {
		next := w.Clock.Now().Truncate(tick).Add(tick)
		if w.random.IntN(ticks) < changes {
			ref := w.one()
			w.comments++
			w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: comment(1000 + w.comments)})
			w.post(w.sample(ref), hookToken)
		}
		w.depths()
		for _, q := range []*fakesqs.Queue{w.Requests, w.Hides, w.Bulk} {
			w.poll(q)
		}
		w.drive()
		w.follow()
		w.Clock.AdvanceTo(next)
	}
	w.minutes++
	if w.minutes%int(surgical.IndexInterval/time.Minute) == 0 {
		w.look()
	}
	w.Clock.AdvanceTo(ends)
	polls := time.Minute.Seconds() / pollSeconds
	for _, name := range []string{"requests", "hides", "bulk"} {
		w.add("AWS/SQS", "NumberOfEmptyReceives", pollers*polls, "QueueName=lorehook-"+name+".fifo")
	}
}

// post hands a webhook with the token to the webhook function.
func (w *watch) post(body, token string) {
	w.must(w.invoke("webhook", func(ctx context.Context) error {
		response, err := w.hook(ctx, awsevents.APIGatewayV2HTTPRequest{RawPath: delivery.Path, Body: body, Headers: map[string]string{
			"x-gitlab-event": "Note Hook", "x-gitlab-token": token, "idempotency-key": rand.Text() + rand.Text()[:10],
		}})
		if err == nil && response.StatusCode/100 != 2 {
			w.add("lorehook", "AnswersOtherThan2xx", 1)
		}
		return err
	}))
	w.add("AWS/ApiGateway", "Count", 1, "ApiId=HttpApi")
	w.add("AWS/Logs", "IncomingBytes", sizeOf(accessLine), "LogGroupName=/aws/vendedlogs/apigateway/lorehook-access")
}

// poll lets the worker receive what is visible.
func (w *watch) poll(q *fakesqs.Queue) {
	for {
		n, err := q.Poll(w.T.Context(), func(_ context.Context, batch awsevents.SQSEvent) (response awsevents.SQSEventResponse, err error) {
			err = w.invoke("worker", func(ctx context.Context) error {
				response, err = w.Worker.Handle(ctx, batch)
				return err
			})
			n := float64(len(batch.Records))
			w.add("AWS/SQS", "NumberOfMessagesReceived", n, "QueueName="+w.nameOf(q))
			w.add("AWS/SQS", "NumberOfMessagesDeleted", n-float64(len(response.BatchItemFailures)), "QueueName="+w.nameOf(q))
			return response, err
		})
		w.must(err)
		if n == 0 {
			return
		}
	}
}

func (w *watch) nameOf(q *fakesqs.Queue) string {
	return "lorehook-" + map[*fakesqs.Queue]string{w.Requests: "requests", w.Hides: "hides", w.Bulk: "bulk", w.DeadLetters: "dead-letters"}[q] + ".fifo"
}

// sending counts the messages that are sent.
func (w *watch) sending(ctx context.Context, call cloud.Call, send func() error) error {
	if in, ok := call.Input.(*awsapi.SendMessageInput); ok {
		w.add("AWS/SQS", "NumberOfMessagesSent", 1, "QueueName=lorehook-"+path.Base(in.QueueURL))
	}
	return w.count(ctx, call, send)
}

// drive runs the executions that were started.
func (w *watch) drive() {
	w.executed = 0
	w.Drive()
	started := w.counted.Executions - w.executions
	w.executions = w.counted.Executions
	if started > 0 {
		w.add("AWS/States", "ExecutionsStarted", started, stateMachine)
		w.add("AWS/States", "ExpressExecutionBilledDuration", float64(w.executed.Milliseconds()), stateMachine)
		w.add("AWS/States", "ExecutionsFailed", 0, stateMachine)
		w.add("AWS/States", "ExecutionsTimedOut", 0, stateMachine)
	}
}

// depths records what waits in the queues.
func (w *watch) depths() {
	for _, q := range []*fakesqs.Queue{w.Requests, w.Hides, w.Bulk, w.DeadLetters} {
		w.add("AWS/SQS", "ApproximateNumberOfMessagesVisible", float64(len(q.Messages())), "QueueName="+w.nameOf(q))
	}
	for _, q := range []*fakesqs.Queue{w.Requests, w.Hides} {
		oldest := 0.0
		for _, m := range q.Messages() {
			oldest = max(oldest, w.Clock.Now().Sub(m.SentAt).Seconds())
		}
		w.add("AWS/SQS", "ApproximateAgeOfOldestMessage", oldest, "QueueName="+w.nameOf(q))
	}
}

func (w *watch) add(namespace, name string, value float64, dimensions ...string) {
	w.recording.Add(w.Clock.Now(), dashboard.Key(namespace, name, dimensions...), value)
}

// invocation records what an invocation of a function took, and what it wrote.
func (w *watch) invocation(function string, took time.Duration, lines []string) {
	took += time.Duration(float64(processing) / min(1, w.stack.Functions[function].MemoryMB/vCPUMemory))
	name := "FunctionName=lorehook-" + function
	w.add("AWS/Lambda", "Invocations", 1, name)
	w.add("AWS/Lambda", "Duration", float64(took.Milliseconds()), name)
	w.add("AWS/Lambda", "Errors", 0, name)
	w.add("AWS/Lambda", "Throttles", 0, name)
	if function == "docs" || function == "embed" || function == "finish" {
		w.executed += took
	}
	if tokens := (w.counted.Characters - w.characters) / charactersPerToken; tokens > 0 {
		w.add("AWS/Bedrock", "InputTokenCount", math.Ceil(tokens), "ModelId=amazon.titan-embed-text-v2:0")
		w.characters = w.counted.Characters
	}
	group := pascal(function) + "Logs"
	bytes := platform()
	for _, line := range lines {
		bytes += sizeOf(line)
		if !metricstest.Is(line) {
			if notable.MatchString(line) && !w.recording.Start.IsZero() {
				line = timeOfLine.ReplaceAllString(strings.TrimSpace(line), w.Clock.Now().Format(`"time":"`+time.RFC3339+`"`))
				w.recording.Lines[group] = append(w.recording.Lines[group], line)
			}
			continue
		}
		data, err := metricstest.Read([]byte(line))
		w.must(err)
		for _, d := range data {
			var dimensions []string
			if d.Dimensions != "" {
				dimensions = strings.Split(d.Dimensions, ",")
			}
			w.recording.Add(w.Clock.Now(), dashboard.Key(d.Namespace, d.Name, dimensions...), d.Values...)
		}
	}
	w.add("AWS/Logs", "IncomingBytes", bytes, "LogGroupName="+group)
}

// units records what a call to DynamoDB consumed of a table, or what a query consumed of
// an index.
func (w *watch) units(call cloud.Call, table string, writes, reads float64) {
	dimensions := []string{"TableName=" + pascal(table)}
	if q, ok := call.Input.(*dynamodb.QueryInput); ok && q.IndexName != nil {
		dimensions = append(dimensions, "GlobalSecondaryIndexName="+*q.IndexName)
	}
	if writes > 0 {
		w.add("AWS/DynamoDB", "ConsumedWriteCapacityUnits", writes, dimensions...)
	}
	if reads > 0 {
		w.add("AWS/DynamoDB", "ConsumedReadCapacityUnits", reads, dimensions...)
	}
}

// pascal turns sync_runs into SyncRuns, as the template names resources.
func pascal(snake string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// ledger is what the dashboard's custom widget shows at the end.
func (w *watch) ledger() string {
	widget, err := console.NewWidget(w.Ledger, func(int64) bool { return true }, w.Clock.Now, w.Logger())
	w.must(err)
	event := fmt.Sprintf(`{"view":"overview","limit":10,"widgetContext":{"theme":"light","width":1300,"timezone":{"label":"UTC","offsetISO":"+00:00"},"timeRange":{"start":%d,"end":%d}}}`,
		w.recording.Start.UnixMilli(), w.Clock.Now().UnixMilli())
	html, err := widget.Handle(w.T.Context(), json.RawMessage(event))
	w.must(err)
	return html
}
