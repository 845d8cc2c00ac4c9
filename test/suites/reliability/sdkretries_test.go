package reliability_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
)

// onWire returns a client with the functions' own options whose requests pass
// through the wire. Its retry delays are shortened.
func onWire(e engines.Engine, wire *faults.Wire) *dynamodb.Client {
	cfg := e.AWS.Copy()
	wire.Next = roundTripper(cfg.HTTPClient.Do)
	cfg.HTTPClient = &http.Client{Transport: wire}
	options := dynamo.New(cfg, nil).Options()
	options.Retryer = retry.AddWithMaxBackoffDelay(options.Retryer, time.Millisecond)
	return dynamodb.New(options)
}

// changed runs the worker and all stages for a new issue and for one with a
// copy, and returns what the runs report.
func changed(t *testing.T, client *dynamodb.Client, e engines.Engine, spoil func(on bool)) []string {
	t.Helper()
	c := cloud.New(t, client, e.Tables)
	small(c, 70)
	spoil(true)
	c.Webhook(issue(70))
	c.Settle()
	c.GitLab.DeleteDiscussion(issue(70), c.GitLab.Discussions(issue(70))[0].ID)
	c.GitLab.EditIssue(issue(70), func(i *fakegitlab.Issue) { i.Confidential = true })
	c.Clock.Advance(10 * time.Second)
	c.Webhook(issue(70))
	c.Settle()
	spoil(false)
	c.Check(issue(70))
	var said []string
	for _, run := range c.Runs() {
		said = append(said, fmt.Sprintf("%s: %s, attempt %d, generation %d, %d lost leases, %d failed attempts, %d jobs, %+v, outcomes %v",
			run.RunID, run.Status, run.Attempt, run.Generation, run.LostLeases, run.FailedAttempts, run.JobsInserted, run.Counters, run.Outcomes))
	}
	return said
}

// Every request, read or write, gets one failure that the SDK retries, by which
// time it may have been applied. The runs do the same as without failures.
func TestTheSDKsOwnRepetitionsOfAWriteThatWasAppliedChangeNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("the engine in memory has no wire")
	}
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		want := changed(t, onWire(e, &faults.Wire{Spoil: func(string, int) faults.Kind { return "" }}), e, func(bool) {})
		for _, kind := range []faults.Kind{faults.LostAnswer, faults.ServerError, faults.Throttled, faults.TransactionInProgress} {
			t.Run(string(kind), func(t *testing.T) {
				e := fresh(t, e)
				var mu sync.Mutex
				spoiling, spoiled := false, map[string]int{}
				wire := &faults.Wire{Spoil: func(operation string, repetition int) faults.Kind {
					mu.Lock()
					defer mu.Unlock()
					if !spoiling || repetition > 0 || kind == faults.TransactionInProgress && operation != "TransactWriteItems" {
						return ""
					}
					spoiled[operation]++
					return kind
				}}
				got := changed(t, onWire(e, wire), e, func(on bool) { spoiling = on })
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-undisturbed +disturbed)\n%s", diff)
				}
				if spoiled["TransactWriteItems"] < 5 || kind != faults.TransactionInProgress && spoiled["UpdateItem"] < 5 {
					t.Errorf("too few requests failed: %v", spoiled)
				}
				t.Logf("spoiled %v", spoiled)
			})
		}
	})
}

// fresh creates empty tables on the engine.
func fresh(t *testing.T, e engines.Engine) engines.Engine {
	t.Helper()
	var err error
	if e.Tables, err = devstack.CreateTables(t.Context(), e.DynamoDB, "r"+strings.ToLower(rand.Text()[:10])+"_"); err != nil {
		t.Fatal(err)
	}
	return e
}
