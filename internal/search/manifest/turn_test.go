package manifest_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

func TestTurn_IsOneIndexersAtATimeAndLosesNoRequest(t *testing.T) {
	db, _ := fakedynamodb.New()
	now := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	store := manifest.NewStore(db.Client(), tables.State().Name)
	turn := func() *manifest.Turn { return store.Turn(func() time.Time { return now }) }
	begin := func(t1 *manifest.Turn, want bool) {
		t.Helper()
		if mine, err := t1.Begin(t.Context()); mine != want || err != nil {
			t.Errorf("begins: %v, %v", mine, err)
		}
	}
	end := func(t1 *manifest.Turn, want bool) {
		t.Helper()
		if again, err := t1.End(t.Context()); again != want || err != nil {
			t.Errorf("again: %v, %v", again, err)
		}
	}
	one, two, three := turn(), turn(), turn()
	begin(one, true)
	begin(two, false)
	begin(three, false)
	end(one, true) // two may have come after one looked
	end(one, false)
	begin(two, true)

	// A holder that goes on keeps it; one that died loses it.
	now = now.Add(surgical.IndexerTurn - time.Microsecond)
	if err := two.Extend(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(surgical.IndexerTurn - time.Microsecond)
	begin(three, false)
	now = now.Add(time.Microsecond)
	begin(three, true)
	if !three.RanOut() || two.RanOut() {
		t.Errorf("ran out: three found %v, two %v", three.RanOut(), two.RanOut())
	}
	end(two, false) // it is not two's any more
	begin(one, false)
	if err := three.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin(one, true)
	if one.RanOut() {
		t.Error("a turn that was given back ran out")
	}
	end(one, false)
}

// The indexer that ends and the one that asks meet: the request is not lost.
func TestTurn_OfOneThatAsksWhileTheHolderEnds(t *testing.T) {
	db, _ := fakedynamodb.New()
	clock := func() time.Time { return time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC) }
	other := manifest.NewStore(db.Client(), tables.State().Name).Turn(clock)
	asked, mine := false, false
	client := db.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		if _, writes := input.(*dynamodb.PutItemInput); writes && asked {
			asked = false
			var err error
			if mine, err = other.Begin(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return send()
	})
	holder := manifest.NewStore(client, tables.State().Name).Turn(clock)
	if _, err := holder.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked = true
	again, err := holder.End(t.Context())
	if err != nil || again == mine {
		t.Errorf("the holder looks again: %v, the other works: %v, %v", again, mine, err)
	}
}
