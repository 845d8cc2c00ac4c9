package scale

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// deployed is a stack with the default settings and sizes.
func deployed() Deployed {
	d := Deployed{
		Setting:           Setting{Workers: surgical.DefaultConcurrency, Bulk: surgical.BulkConcurrency, Rate: surgical.DefaultRequestsPerSecond},
		RequestsPerSecond: 300, Burst: 600, HighThroughput: true,
	}
	d.Stack.Functions = map[string]cost.Function{"worker": {MemoryMB: surgical.WorkerMemory}, "webhook": {MemoryMB: surgical.SmallMemory}, "docs": {MemoryMB: surgical.StageMemory}, "embed": {MemoryMB: surgical.StageMemory}, "finish": {MemoryMB: surgical.SmallMemory}}
	return d
}

func counts(t *testing.T) cost.Counts {
	t.Helper()
	c, err := cost.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRead_FindsWhatLimitsAStack(t *testing.T) {
	const template = `{"Resources":{
		"RequestsMapping12345678":{"Type":"AWS::Lambda::EventSourceMapping","Properties":{"ScalingConfig":{"MaximumConcurrency":4}}},
		"BulkMapping12345678":{"Type":"AWS::Lambda::EventSourceMapping","Properties":{"ScalingConfig":{"MaximumConcurrency":2}}},
		"WorkerFunction12345678":{"Type":"AWS::Lambda::Function","Properties":{"FunctionName":"lorehook-worker","MemorySize":1280,"Environment":{"Variables":{"LOREHOOK_GITLAB_REQUESTS_PER_SECOND":"3","LOREHOOK_TABLE":{"Ref":"T"}}}}},
		"S":{"Type":"AWS::ApiGatewayV2::Stage","Properties":{"DefaultRouteSettings":{"ThrottlingRateLimit":300,"ThrottlingBurstLimit":600}}},
		"Q":{"Type":"AWS::SQS::Queue","Properties":{"FifoQueue":true,"FifoThroughputLimit":"perMessageGroupId"}}%s}}`
	got, err := Read([]byte(strings.ReplaceAll(template, "%s", "")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Setting{Workers: 4, Bulk: 2, Rate: 3}, got.Setting); diff != "" || got.RequestsPerSecond != 300 || got.Burst != 600 || !got.HighThroughput {
		t.Errorf("(-want +got):\n%s\n%+v", diff, got)
	}
	got, err = Read([]byte(strings.ReplaceAll(template, "%s", `,"R":{"Type":"AWS::SQS::Queue","Properties":{"FifoQueue":true}}`)))
	if err != nil || got.HighThroughput {
		t.Errorf("a queue without high throughput was not found, error %v", err)
	}
	if _, err := Read([]byte(`{"Resources":{}}`)); err == nil {
		t.Error("a template without settings was accepted")
	}
}

// The requests of a fetch are those that make cost counted.
func TestRequestsOf_IsWhatWasCounted(t *testing.T) {
	for i, n := range cost.Discussions() {
		if got, want := requestsOf(float64(n+1)), counts(t).Changes[i].Calls("gitlab"); got != want {
			t.Errorf("a fetch of %d discussions takes %g requests, counted were %g", n+1, got, want)
		}
	}
}

func TestSteady_CoalescesWhatGitLabDoesNotAnswer(t *testing.T) {
	timing := calculatedTimes(t)
	for _, n := range populations() {
		l := Full(n)
		r := steady(l, deployed().Setting, timing)
		if most := float64(surgical.DefaultConcurrency * surgical.DefaultRequestsPerSecond); !r.Limited || r.Requests != most {
			t.Errorf("%g entities: %g requests a second, the workers' rate is %g", n, r.Requests, most)
		}
		if lag := r.Cycle + surgical.Settle; r.MaxLag < lag || r.Lag < lag/2 {
			t.Errorf("%g entities, each fetched every %s: lag %s, at most %s", n, r.Cycle, r.Lag, r.MaxLag)
		}
	}
	seldom := steady(Load{Events: 1, Entities: 1e6, Budget: 100, Requests: 5}, deployed().Setting, timing)
	if seldom.Limited || seldom.Coalescing > 1.01 || seldom.Lag > 3*time.Second {
		t.Errorf("one event a second about many entities: %+v", seldom)
	}
}

// Beyond GitLab's limit, each worker loses a fetch a minute.
func TestAllowed_CountsWhatARefusalLoses(t *testing.T) {
	l := Load{Events: 100, Entities: 100, Budget: 10, Requests: 5}
	if within := l.allowed(Setting{Workers: 2, Rate: 5}); within != 2 {
		t.Errorf("within the limit, there are %g fetches a second", within)
	}
	if beyond, want := l.allowed(Setting{Workers: 6, Rate: 5}), 2-6/60.0; beyond != want {
		t.Errorf("beyond the limit, there are %g fetches a second, want %g", beyond, want)
	}
}

func TestAdvised_KeepsUpWithinGitLabsLimit(t *testing.T) {
	l, timing := Full(1_000), calculatedTimes(t)
	s, ok := advised(l, surgical.BulkConcurrency, timing)
	if !ok || s.Highest() > l.Budget || steady(l, s, timing).Fewest < l.Events {
		t.Errorf("advised are %s, %g requests a second of %g: %+v", s, s.Highest(), l.Budget, steady(l, s, timing))
	}
	if s, ok := advised(Load{Events: 1, Entities: 1, Budget: 1, Requests: 5}, surgical.BulkConcurrency, timing); ok {
		t.Errorf("for one request a second, %s are advised", s)
	}
}

func TestLimits_BeginWithTheFirstAndSayWhatToDo(t *testing.T) {
	all := deployed().limits(Full(1_000), counts(t))
	for i, l := range all {
		if l.Used <= 0 || l.Allowed <= 0 || l.Then == "" || i > 0 && l.share() > all[i-1].share() {
			t.Errorf("%d: %+v", i, l)
		}
	}
}

// Five shards have a batch every 5 s, and 3 records of each event fill others of 100.
func TestBlocks_FollowFromShardsWindowAndRecords(t *testing.T) {
	if got := blocks(Load{Events: 200}, 4_951); got != 1+6 {
		t.Errorf("%g blocks a second", got)
	}
}

// An entity is tried again with pauses of up to two minutes, and not at all without an event.
func TestDuring_BoundsAttemptsByPausesAndWorkers(t *testing.T) {
	timing := calculatedTimes(t)
	one := during(Load{Events: 1, Entities: 1, Budget: 100, Requests: 5}, deployed().Setting, timing)
	if least, most := time.Hour/surgical.MaxDelay, time.Hour/(surgical.MaxDelay/2)+6; one.Attempts < float64(least) || one.Attempts > float64(most) {
		t.Errorf("%g attempts at one entity in an hour, want %d to %d", one.Attempts, least, most)
	}
	many := during(Full(10_000), deployed().Setting, timing)
	if want := 16.0 / 5 * 3600; many.Attempts != want || many.Latest != 0 || many.Soonest == 0 {
		t.Errorf("%g attempts, workers can make %g; nothing waits after %s to %s", many.Attempts, want, many.Soonest, many.Latest)
	}
}

// SQS does not look at what an entity's first message is too far behind.
func TestDuring_WaitsForWhatSQSDoesNotLookAt(t *testing.T) {
	timing := calculatedTimes(t)
	l := Full(1_000)
	r, o := steady(l, deployed().Setting, timing), during(l, deployed().Setting, timing)
	if o.LastSoonest < seconds((o.Messages-looked)/r.Most) || o.LastSoonest <= o.Applied || o.LastLatest < o.LastSoonest {
		t.Errorf("%g messages, of which SQS looks at %d, and %g to %g are processed a second: the last is after %s to %s", o.Messages, looked, r.Fewest, r.Most, o.LastSoonest, o.LastLatest)
	}
	l.Events = looked / lasting.Seconds()
	if o := during(l, deployed().Setting, timing); o.LastSoonest != o.Applied {
		t.Errorf("SQS looks at all %g messages, but the last waits %s, others %s", o.Messages, o.LastSoonest, o.Applied)
	}
}

// The simulation in which workers keep up is near the limit of messages, not only that of
// requests.
func TestSimulations_KeepUpNearTheLimitOfMessages(t *testing.T) {
	for _, x := range simulations() {
		if x.name != bothLimits {
			continue
		}
		r := steady(x.load, x.setting, calculatedTimes(t))
		if share := x.load.Events / r.Fewest; !r.Limited || share < 0.6 || share > 0.9 {
			t.Errorf("%g events a second, workers process %.1f, limited by requests: %v", x.load.Events, r.Fewest, r.Limited)
		}
		return
	}
	t.Errorf("%s is not simulated", bothLimits)
}

func TestHot_LagsByItsPages(t *testing.T) {
	timing := calculatedTimes(t)
	short, long := hot(1, 5*time.Minute, deployed().Setting, timing), hot(1, time.Hour, deployed().Setting, timing)
	if short.Lag > 2*surgical.RefetchInterval || long.Last < 10*time.Second || long.LastRequests < 70 {
		t.Errorf("after 5 minutes %+v, after an hour %+v", short, long)
	}
}

func TestOfLoad_IsBetweenItsBounds(t *testing.T) {
	for _, n := range populations() {
		if d := deployed().ofLoad(Full(n), counts(t)); d.Least <= 0 || d.Estimate < d.Least || d.Most < d.Estimate {
			t.Errorf("%g entities: %+v", n, d)
		}
	}
}
