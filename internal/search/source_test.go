package search_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// An entity of which only the head changed has no documents, which is not the same as any.
func TestChangedBy_NamesEntitiesAndTheirDocumentsOnce(t *testing.T) {
	one, two := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}, surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 8}}
	got := search.ChangedBy([]feed.Entry{{Ref: one}, {Ref: two}, {Ref: one, Document: "a"}, {Ref: one, Document: "b"}, {Ref: one, Document: "a"}, {Ref: one}})
	want := search.Changed{Refs: []surgical.EntityRef{one, two}, Documents: map[surgical.EntityRef]content.DocumentSet{one: content.OnlyDocuments("a", "b"), two: content.OnlyDocuments()}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(content.DocumentSet{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The changes of one batch share a number.
func TestFeedSource_GoesOnWithinABatch(t *testing.T) {
	db, tables := fakedynamodb.New()
	clock := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	store := feed.NewStore(db.Client(), tables.Feed, clock)
	consumer := &feed.Consumer{Store: store, Clock: clock, Log: slog.New(slog.DiscardHandler)}
	consume := func(iids ...int) {
		var records []string
		for _, iid := range iids {
			records = append(records, fmt.Sprintf(`{"eventSource":"aws:dynamodb","dynamodb":{"Keys":{"pk":{"S":"P#1#issue#%d"},"sk":{"S":"head"}}}}`, iid))
		}
		if _, err := consumer.Handle(t.Context(), json.RawMessage(`{"Records":[`+strings.Join(records, ",")+`]}`)); err != nil {
			t.Fatal(err)
		}
	}
	consume()
	source := search.FeedSource{Store: store}
	at, err := source.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	consume(7, 8, 9)
	consume(10)
	var got []string
	for more := true; more; {
		changed, err := source.After(t.Context(), at, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range changed.Refs {
			got = append(got, ref.Key())
		}
		at, more = changed.To, changed.More
	}
	if fmt.Sprint(got) != "[1#issue#7 1#issue#8 1#issue#9 1#issue#10]" {
		t.Error(got)
	}
}
