package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// bench is one pipeline under measurement.
type bench struct {
	world   *cloud.World
	calls   *calls
	expired expiries
	written puts
	// consumed is what DynamoDB reports of all tables.
	consumed *consumed
	figures  []figure
}

// prefix is the prefix of the measured tables' names.
const prefix = "bench_"

func measure(ctx context.Context, url string) (figures []figure, err error) {
	err = cloud.Run(ctx, func(t cloud.TB) { figures = measured(t, url) })
	return figures, err
}

func measured(t cloud.TB, url string) []figure {
	db := devstack.DynamoDB(url)
	tables, err := devstack.CreateTables(t.Context(), db, prefix)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{calls: &calls{}, expired: expiries{table: tables.Content}, written: puts{table: tables.Content}}
	b.consumed = &consumed{}
	b.calls.reset()
	counted := cloud.Intercept(db, func(_ context.Context, call cloud.Call, send func() error) error {
		b.calls.count(call.Operation, call.Input)
		b.written.count(call.Input)
		return b.consumed.watch(call, func() error { return b.expired.watch(call, send) })
	})
	b.world = cloud.NewWorld(t, counted, tables)
	b.world.Ledger = ledger.New(db, tables, b.world.Clock.Now) // the bench's own reads are not counted
	b.requests()
	b.thousand()
	b.comment()
	b.long()
	b.watching()
	b.passes(t)
	return b.figures
}

func (b *bench) add(name string, value float64, unit string, limit float64) {
	b.figures = append(b.figures, newFigure(name, value, unit, 0, limit))
}

// requests measures one change of an issue and of a merge request with one page
// each.
func (b *bench) requests() {
	for _, ref := range []surgical.EntityRef{fakegitlab.IssueRef(7), fakegitlab.MergeRequestRef(12)} {
		name := "changed " + strings.ReplaceAll(string(ref.Type), "_", " ")
		b.world.Webhook(ref)
		b.world.GitLab.Relabel(ref, []string{"bench"}, nil)
		run := b.world.Webhook(ref)
		b.add(name+": requests to GitLab", float64(run.Counters.GitLabRequests), "requests", 5)
	}
}

// discussions is the number of discussions in the large issue.
const discussions = 1000

// thousand measures changes of an issue with many discussions.
func (b *bench) thousand() {
	ref := fakegitlab.IssueRef(8)
	gitlab := b.world.GitLab
	for i := range discussions {
		gitlab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprintf("Comment %d: %s", i, strings.Repeat("words ", i%50))})
	}
	b.change(ref, "first sync of 1,000 discussions", 0, func() {})
	var thread string
	b.change(ref, "one new comment on 1,000 discussions", 16, func() {
		thread = gitlab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."}, fakegitlab.Note{Body: "And a reply."})
	})
	for _, g := range b.calls.groups() {
		b.add("  of these, to "+g.place, float64(g.calls), "calls", 0)
	}
	b.change(ref, "one reply in a thread of 1,000 discussions", 16, func() { gitlab.AddNote(ref, thread, fakegitlab.Note{Body: "Yes."}) })
	b.change(ref, "one label on an issue with 1,000 discussions", 0, func() { gitlab.Relabel(ref, []string{"later"}, nil) })
	b.change(ref, "nothing changed on 1,000 discussions", 0, func() {})
}

// withoutLedger is how many calls to DynamoDB a comment took from the webhook to the end of
// its run, without those of the ledger, when the reach was set. It took 35 with them.
const withoutLedger = 9

// comment measures what most events are: a comment on an issue of one page.
func (b *bench) comment() {
	ref := fakegitlab.IssueRef(7)
	b.world.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."})
	b.calls.reset()
	b.world.Webhook(ref)
	b.figures = append(b.figures, newFigure("one new comment on an issue of one page: DynamoDB, whole run", float64(b.calls.total()), "calls", withoutLedger, 20))
}

// long measures an edit of a text of 1 MB that hardly compresses.
func (b *bench) long() {
	ref := fakegitlab.IssueRef(9)
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]rune, 0, 1<<20)
	for size := 0; size < 1<<20; {
		r := rune(' ' + random.IntN(0x2000))
		text, size = append(text, r), size+utf8.RuneLen(r)
	}
	var thread string
	b.change(ref, "a new comment of 1 MB", 0, func() {
		thread = b.world.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: string(text)})
	})
	b.add("  content written by the whole run", b.written.units(), "write units", 0)
	text[len(text)/2] = '~'
	b.change(ref, "one character in a comment of 1 MB", maxEdit, func() {
		for _, d := range b.world.GitLab.Discussions(ref) {
			if d.ID == thread {
				b.world.GitLab.EditNote(ref, d.Notes[0].ID, string(text))
			}
		}
	})
	b.add("  content written by the whole run", b.written.units(), "write units", 0)
}

// maxEdit is what an edit of one character may cost, in write units: at most three
// pieces of 12 KB on average, the list of pieces and the head, and the expiry of what
// they replace. While a text was stored as a whole, it was twice what it takes to
// write 1 MB.
const maxEdit = 150

func (b *bench) change(ref surgical.EntityRef, name string, limit float64, change func()) {
	change()
	b.calls.reset()
	b.expired.reset()
	b.written.reset()
	run := b.world.Webhook(ref)
	b.add(name+": content written in ingest", float64(run.Counters.ContentWriteUnits)+b.expired.units(), "write units", limit)
	b.add(name+": documents regenerated", float64(run.Counters.DocumentsRegenerated), "documents", 0)
	b.add(name+": DynamoDB, whole run", float64(b.calls.total()), "calls", 0)
}
