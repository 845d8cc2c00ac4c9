package cost

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/test/sample"
)

// nearly accepts small differences: keys are hashes, and ids random.
func nearly() cmp.Option { return cmpopts.EquateApprox(0.03, 2) }

// TestRecorded_IsWhatTheCodeUses shows that docs/cost.md is about this code.
func TestRecorded_IsWhatTheCodeUses(t *testing.T) {
	recorded, err := Recorded()
	if err != nil {
		t.Fatal(err)
	}
	got := Counts{Idle: recorded.Idle, Search: recorded.Search, Changes: recorded.Changes, Naive: recorded.Naive}
	got.First, got.Census, got.Covered, got.Failed = First(t, notes), Census(t), Covered(t), Failed(t)
	if sample.All() { // which takes minutes
		got = Count(t)
	}
	if diff := cmp.Diff(recorded, got, nearly()); diff != "" {
		t.Errorf("make cost UPDATE=1 counts anew (-recorded +now):\n%s", diff)
	}
}

func TestPrice_IsOfEverythingThatIsUsed(t *testing.T) {
	s := Stack{Functions: map[string]Function{"worker": {MemoryMB: 1024, Traced: true}, "docs": {MemoryMB: 1024}}}
	one := Counted{
		Functions: map[string]Used{
			"worker": {Invocations: 1, Writes: 10, Reads: 8, Calls: map[string]float64{toGitLab: 5, toSQS: 1, toS3: 1, toS3Get: 10, toS3Delete: 1}, Log: 1000, Metrics: 1000},
			"docs":   {Invocations: 1},
		},
		Gateway: 1, Received: 1, Executions: 1, States: 6, Characters: 470,
	}
	const share = vCPUMemory / 1024
	processor := processing.Seconds() * share
	worker := 0.1 + 0.01 + 0.04 + 10*0.02 + 0.04 + processor
	for naive, workflow := range map[bool]float64{false: 1 + processor/16*16.67, true: 150} {
		want := Dollars{
			forDynamoDB: 10*0.625 + 8*0.125, forLambda: 2*0.2 + (worker+processor)*13.3334, forSQS: 3 * 0.5, forWorkflow: workflow, forGateway: 1,
			forLogs: (2000 + 2*platform() + sizeOf(accessLine)) / 1000 * 0.5045, forS3: 5 + 4, forEmbedding: 2,
			forTraces: 0.05 * 5, forSecrets: 0.876,
		}
		if diff := cmp.Diff(want, s.million(one, naive), cmpopts.EquateApprox(1e-9, 1e-9)); diff != "" {
			t.Errorf("naive %t (-want +got):\n%s", naive, diff)
		}
	}
}

func TestMarkdown_SaysWhatAHundredThousandCopiesCost(t *testing.T) {
	one := func(writes, reads float64) Counted {
		return Counted{Functions: map[string]Used{"docs": {Invocations: 1, Writes: writes, Reads: reads}}}
	}
	s := Stack{Functions: map[string]Function{"docs": {MemoryMB: 1024}}}
	c := Counts{First: one(100, 8), Census: one(0, 12)}
	for range Discussions() {
		c.Changes, c.Naive = append(c.Changes, one(1, 1)), append(c.Naive, one(1, 1))
	}
	made, again := s.price(c.First.times(100_000), false), s.price(c.Census.times(100_000), false)
	tables := s.Markdown(c)
	for _, row := range []string{
		"| DynamoDB | 6.35 | 0.15 |",
		fmt.Sprintf("| Lambda | %.2f | %.2f |", made[forLambda], again[forLambda]),
		fmt.Sprintf("| **all** | **%.2f** | **%.2f** |", made.Sum(), again.Sum()),
		fmt.Sprintf("| **100,000 copies** of issues with %d comments: made | %.2f |", notes, made.Sum()),
	} {
		if !strings.Contains(tables, row+"\n") {
			t.Errorf("no row %s in\n%s", row, tables)
		}
	}
	for _, f := range s.Figures(c) {
		if f.Name == "100,000 copies: made" && math.Abs(f.Value-made.Sum()) < 1e-9 {
			return
		}
	}
	t.Error("no figure of 100,000 copies")
}

func TestRead_CountsWhatIsPaidFor(t *testing.T) {
	const template = `{"Resources":{
		"F":{"Type":"AWS::Lambda::Function","Properties":{"FunctionName":"lorehook-worker","MemorySize":1280,"EphemeralStorage":{"Size":2048},"TracingConfig":{"Mode":"Active"}}},
		"G":{"Type":"AWS::Lambda::Function","Properties":{"FunctionName":"lorehook-crawler","MemorySize":512,"TracingConfig":{"Mode":"PassThrough"}}},
		"S":{"Type":"AWS::SecretsManager::Secret","Properties":{}},
		"D":{"Type":"AWS::CloudWatch::Dashboard","Properties":{}},
		"A":{"Type":"AWS::CloudWatch::Alarm","Properties":{"MetricName":"Errors"}},
		"B":{"Type":"AWS::CloudWatch::Alarm","Properties":{"Metrics":[{"Expression":"m0+m1"},{"MetricStat":{}},{"MetricStat":{}}]}},
		"R":{"Type":"AWS::Events::Rule","Properties":{"Description":"Lorehook: starts the crawler","ScheduleExpression":"rate(1 minute)"}},
		"T":{"Type":"AWS::DynamoDB::Table","Properties":{"SSESpecification":{"SSEEnabled":true}}},
		"Q":{"Type":"AWS::SQS::Queue","Properties":{"FifoQueue":true}},
		"P":{"Type":"AWS::SQS::Queue","Properties":{}},
		"M":{"Type":"AWS::Lambda::EventSourceMapping","Properties":{"EventSourceArn":{"Fn::GetAtt":["Q","Arn"]}}},
		"N":{"Type":"AWS::Lambda::EventSourceMapping","Properties":{"EventSourceArn":{"Fn::GetAtt":["P","Arn"]}}},
		"O":{"Type":"AWS::Lambda::EventSourceMapping","Properties":{"EventSourceArn":{"Fn::GetAtt":["T","StreamArn"]}}}}}`
	got, err := Read([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	want := Stack{
		Functions: map[string]Function{"worker": {1280, 1536, true}, "crawler": {MemoryMB: 512}},
		Secrets:   1, AlarmMetrics: 3, Dashboards: 1, PolledFIFO: 1, PolledStandard: 1, ManagedKeys: 1,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	idle := got.idle(Counted{Series: 2})
	for name, dollars := range map[string]float64{forSecrets: 0.4 + 730*13*5e-6, forAlarms: 0.3, forDashboard: 3, forMetrics: 0.6, forPolling: 131400 * (5*0.5 + 2*0.4) / 1e6} {
		if math.Abs(idle[name]-dollars) > 1e-9 {
			t.Errorf("%s: %g, want %g", name, idle[name], dollars)
		}
	}
}
