package sweep_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/sweep"
)

func commitMark() ledger.CommitMark {
	return ledger.CommitMark{Outcomes: map[surgical.Target]surgical.Outcome{issue(1, 7).Target: {Status: surgical.EntityOK, Revision: 1}}}
}

func (w *world) transact(items ...types.TransactWriteItem) {
	w.Helper()
	w.must(dynamo.Transact(w.Context(), w.db, items))
}

// staged puts an item that nothing refers to.
func (w *world) staged(sk string) dynamo.Item {
	w.Helper()
	key := dynamo.Item{
		"pk": &types.AttributeValueMemberS{Value: "P#1#issue#7"}, "sk": &types.AttributeValueMemberS{Value: sk},
	}
	_, err := w.db.PutItem(w.Context(), &dynamodb.PutItemInput{TableName: &w.tables.Content, Item: key})
	w.must(err)
	return key
}

func (w *world) expires(key dynamo.Item) bool {
	w.Helper()
	out, err := w.db.GetItem(w.Context(), &dynamodb.GetItemInput{TableName: &w.tables.Content, Key: key})
	w.must(err)
	return out.Item["expires_at"] != nil
}

// ingested is a run that failed permanently at the epoch, after it had staged
// something.
func (w *world) ingested(id string) {
	w.Helper()
	run, err := w.ledger.EnterIngest(w.Context(), w.claimed(request(id)), 1)
	w.must(err)
	_, err = w.ledger.Close(w.Context(), run, surgical.GivenUp{Error: surgical.NewError(surgical.CodeIngestFailed, "x"), Attempt: run.Attempt})
	w.must(err)
}

func TestSweeper_SweepsARunOnceNothingOfItCanLandAnyMore(t *testing.T) {
	for _, c := range []struct {
		name    string
		at      time.Duration
		want    sweep.Report
		pending bool
	}{
		{"before a late write has landed", 15*time.Minute - tick, sweep.Report{}, true},
		{"15 minutes after the end", 15 * time.Minute, sweep.Report{Swept: 1, Expired: 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.ingested("run")
			item := w.staged("child#discussion#a#run.1#000")
			report, err := w.sweepAt(c.at)
			w.must(err)
			if diff := cmp.Diff(c.want, report); diff != "" {
				t.Error(diff)
			}
			if got := []bool{w.run("run").SweepPending, w.expires(item)}; !cmp.Equal(got, []bool{c.pending, !c.pending}) {
				t.Errorf("pending %t, the item expires %t", got[0], got[1])
			}
		})
	}
}

func TestSweeper_PutsOffTheSweepOfAnOpenRun(t *testing.T) {
	w := newWorld(t)
	run, err := w.ledger.EnterIngest(t.Context(), w.claimed(request("run")), 1)
	w.must(err)
	item := w.staged("child#discussion#a#run.1#000")
	for _, at := range []time.Duration{15 * time.Minute, 20 * time.Minute, 30 * time.Minute} {
		report, err := w.sweepAt(at)
		if diff := cmp.Diff(sweep.Report{}, report); err != nil || diff != "" || w.expires(item) || !w.run(run.RunID).SweepPending {
			t.Errorf("after %s: %s, error %v", at, diff, err)
		}
	}
}

func TestSweeper_ExpiresOnlyWhatNoAttemptCanStillCommit(t *testing.T) {
	for _, c := range []struct {
		name    string
		given   func(*world)
		sk      string
		expires bool
	}{
		{"its run is not in the ledger", nil, "child#discussion#a#gone.1#000", true},
		{"its run has ended", func(w *world) { w.ingested("other") }, "child#discussion#a#other.1#000", true},
		{"its attempt holds the run", func(w *world) { w.claimed(request("other")) }, "child#discussion#a#other.1#000", false},
		{"its attempt lost the run to another", func(w *world) {
			_, err := w.ledger.NextAttempt(w.Context(), w.claimed(request("other")), time.Hour)
			w.must(err)
		}, "child#discussion#a#other.1#000", true},
		{"a manifest's part of an open attempt", func(w *world) { w.claimed(request("other")) }, "part#0001#other.1", false},
		{"a document's segment, its run is open", func(w *world) { w.committed(request("other"), true) }, "doctext#entity#other.d1.1.0#000", false},
		{"a document's segment, its run ended a moment ago", func(w *world) {
			w.now = epoch.Add(tick)
			w.ingested("other")
		}, "doctext#entity#other.d1.1.0#000", false},
		{"a document's segment, its run ended long ago", func(w *world) { w.ingested("other") }, "doctext#entity#other.d1.1.0#000", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.ingested("run")
			if c.given != nil {
				c.given(w)
			}
			item := w.staged(c.sk)
			w.now = epoch.Add(15 * time.Minute)
			_, err := w.sweeper.Handle(t.Context())
			w.must(err)
			if got := w.expires(item); got != c.expires {
				t.Errorf("it expires: %t", got)
			}
		})
	}
}

func TestSweeper_TriesASweepThatFailedAgain(t *testing.T) {
	w := newWorld(t)
	w.ingested("run")
	item := w.staged("child#discussion#a#run.1#000")
	for _, operation := range []string{"Query", "UpdateItem", "GetItem"} {
		n := 0
		w.fails = func(called string) bool {
			if called == operation {
				n++
			}
			// The lists of open runs, queries as well, are not what fails here.
			return called == operation && (operation != "Query" || n > 3)
		}
		if _, err := w.sweepAt(15 * time.Minute); err == nil {
			t.Errorf("%s fails, and the sweep does not", operation)
		}
		w.fails = func(string) bool { return false }
		if w.expires(item) || !w.run("run").SweepPending {
			t.Errorf("%s fails, and the run counts as swept", operation)
		}
	}
	report, err := w.sweepAt(16 * time.Minute)
	if diff := cmp.Diff(sweep.Report{Swept: 1, Expired: 1}, report); err != nil || diff != "" {
		t.Errorf("%s, error %v", diff, err)
	}
}
