package content_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestPrepare_RefusesWhatTheGuardRefuses(t *testing.T) {
	const us = time.Microsecond
	for name, c := range map[string]struct {
		// how the fetch differs from one that began as the visible one ended, of
		// an entity that did not change
		updated, fetched time.Duration
		accepted         bool
	}{
		"equal updated_at, fetched as the visible fetch ended": {0, 0, true},
		"newer on both clocks":                                 {us, us, true},
		"older updated_at":                                     {-us, surgical.Confirmation - us, false},
		"older updated_at, confirmed":                          {-us, surgical.Confirmation, true},
		"overlaps the visible fetch":                           {time.Hour, -us, false},
		"older updated_at and overlaps":                        {-us, -us, false},
	} {
		w := newWorld(t)
		ref := issue(1)
		visible, _ := w.commit(ref, newIssue())
		snap := w.snapshot(ref, newIssue().with("title", "U"))
		snap.UpdatedAt = visible.UpdatedAt.Add(c.updated)
		snap.FetchedAt = visible.FetchedUntil.Add(c.fetched)
		snap.FetchedUntil = snap.FetchedAt.Add(time.Second)
		change, head, err := w.Prepare(ctx(), snap, attempt("r2", 1), nil)
		w.must(err)
		if accepted := change != nil; accepted != c.accepted {
			t.Errorf("%s: accepted %v, want %v", name, accepted, c.accepted)
		}
		w.same(name+": the head", visible, head)
	}
}

// A condition must hold on its own: whatever moved after the diff was made.
func TestChangePut_IsRefusedUnderAHeadThatMoved(t *testing.T) {
	for name, c := range map[string]struct {
		attribute string
		value     func(head surgical.Head, snap surgical.Snapshot) int64
		moved     bool
	}{
		"nothing moved":                  {"revision", func(h surgical.Head, _ surgical.Snapshot) int64 { return h.Revision }, false},
		"a newer revision":               {"revision", func(h surgical.Head, _ surgical.Snapshot) int64 { return h.Revision + 1 }, true},
		"an older revision":              {"revision", func(h surgical.Head, _ surgical.Snapshot) int64 { return h.Revision - 1 }, true},
		"an equal updated_at":            {"updated_at", func(_ surgical.Head, s surgical.Snapshot) int64 { return s.UpdatedAt.UnixMicro() }, false},
		"a newer updated_at":             {"updated_at", func(_ surgical.Head, s surgical.Snapshot) int64 { return s.UpdatedAt.UnixMicro() + 1 }, true},
		"a date of the far future":       {"updated_at", func(surgical.Head, surgical.Snapshot) int64 { return 4070908800_000000 }, true},
		"a fetch that ended as it began": {"fetched_until", func(_ surgical.Head, s surgical.Snapshot) int64 { return s.FetchedAt.UnixMicro() }, false},
		"a fetch that ended later":       {"fetched_until", func(_ surgical.Head, s surgical.Snapshot) int64 { return s.FetchedAt.UnixMicro() + 1 }, true},
	} {
		w := newWorld(t)
		ref := issue(1)
		w.commit(ref, newIssue())
		head, _ := w.commit(ref, newIssue().with("title", "U"))
		w.now = w.now.Add(time.Minute)
		snap := w.snapshot(ref, newIssue().with("title", "V"))
		change, _, err := w.Prepare(ctx(), snap, attempt("late", 1), nil)
		w.must(err)
		w.poke(ref, "head", map[string]any{c.attribute: c.value(head, snap)})
		if moved := dynamo.Refusals(w.put(change)) != nil; moved != c.moved {
			t.Errorf("under %s: refused %v, want %v", name, moved, c.moved)
		}
	}
}

// The rule and the condition are one rule told twice: whatever head a change
// meets, DynamoDB decides as Head.Accepts does.
func TestChangePut_DecidesAsTheGuardDoes(t *testing.T) {
	offset := func(t *rapid.T, name string) time.Duration {
		near := rapid.SampledFrom([]time.Duration{-surgical.Confirmation, -surgical.Confirmation / 2, 0, surgical.Confirmation}).Draw(t, name)
		return near + time.Duration(rapid.IntRange(-2, 2).Draw(t, name+" by"))*time.Microsecond
	}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		ref := issue(1)
		w.commit(ref, newIssue())
		w.now = w.now.Add(time.Hour)
		snap := w.snapshot(ref, newIssue().with("title", "U"))
		if rapid.Bool().Draw(t, "missing") {
			snap = w.missing(ref)
		}
		change, head, err := w.Prepare(ctx(), snap, attempt("late", 1), nil)
		w.must(err)
		head.UpdatedAt, head.FetchedUntil = snap.UpdatedAt.Add(offset(t, "updated_at")), snap.FetchedAt.Add(offset(t, "fetched_until"))
		w.poke(ref, "head", map[string]any{"updated_at": head.UpdatedAt.UnixMicro(), "fetched_until": head.FetchedUntil.UnixMicro()})
		if refused := dynamo.Refusals(w.put(change)) != nil; refused == head.Accepts(snap) {
			t.Fatalf("refused %v, accepted by the guard %v: head %+v, fetch at %v of %v", refused, head.Accepts(snap), head, snap.FetchedAt, snap.UpdatedAt)
		}
	})
}

// A head can be hidden without a new revision.
func TestChangePut_LosesNothingThatHidTheHeadSince(t *testing.T) {
	for name, snap := range map[string]func(*world, surgical.EntityRef) surgical.Snapshot{
		"a copy":      func(w *world, ref surgical.EntityRef) surgical.Snapshot { return w.snapshot(ref, newIssue()) },
		"a tombstone": (*world).missing,
	} {
		for _, was := range []any{nil, int64(1)} {
			w := newWorld(t)
			ref := issue(1)
			w.commit(ref, newIssue())
			w.poke(ref, "head", map[string]any{"hidden_since": was})
			w.now = w.now.Add(time.Hour)
			change, _, err := w.Prepare(ctx(), snap(w, ref), attempt("r2", 1), nil)
			w.must(err)
			w.poke(ref, "head", map[string]any{"hidden_since": int64(2)})
			if err := w.put(change); !slices.Equal(dynamo.Refusals(err), []int{0}) {
				t.Errorf("%s, hidden since %v: put over a head that was hidden since: %v", name, was, err)
			}
		}
	}
}

func TestChangePut_TheFirstHeadReplacesNone(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	late := w.prepare(ref, newIssue(), attempt("late", 1))
	w.commit(ref, newIssue().with("title", "U"))
	if err := w.put(late); !slices.Equal(dynamo.Refusals(err), []int{0}) {
		t.Errorf("a first head replaced another: %v", err)
	}
}

func TestStageChildren_IsInvisibleUntilAHeadNamesIt(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	w.commit(ref, newIssue())
	visible := w.snapshot(ref, newIssue())
	w.now = w.now.Add(time.Minute)
	next := newIssue().with("description", "Other").and("discussion#d1", note("d1", "b")).and("discussion#d2", note("d2", "c"))
	change := w.prepare(ref, next, attempt("r2", 1))
	w.must(w.StageChildren(ctx(), []*content.Change{change}))
	w.shows(ref, visible)
	w.must(w.put(change))
	w.shows(ref, w.snapshot(ref, next))
}

func TestPrepare_NoTwoAttemptsShareAKey(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	seen := map[string]bool{}
	for _, by := range []surgical.AttemptID{attempt("r1", 1), attempt("r1", 2), attempt("r1", 3), attempt("r2", 1)} {
		before, _ := w.keys(ref, "")
		g := newIssue()
		for i := range 60 { // parts too
			id := fmt.Sprintf("d%d", i)
			g = g.and("discussion#"+id, note(id, by.String()))
		}
		w.must(w.StageChildren(ctx(), []*content.Change{w.prepare(ref, g, by)}))
		after, _ := w.keys(ref, "")
		staged := slices.DeleteFunc(after, func(sk string) bool { return slices.Contains(before, sk) })
		if len(staged) < 64 {
			t.Errorf("attempt %s wrote only %d items of its own", by, len(staged))
		}
		for _, sk := range staged {
			if seen[sk] || !strings.Contains(sk, "#"+by.String()) {
				t.Errorf("attempt %s staged %s", by, sk)
			}
			seen[sk] = true
		}
	}
}

func TestExpireSuperseded_LetsOnlyExpireWhatTheHeadNoLongerNames(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	g := newIssue().and("discussion#d2", note("d2", "kept")).and("discussion#d3", note("d3", "removed"))
	w.commit(ref, g)
	w.now = w.now.Add(time.Minute)
	change := w.prepare(ref, g.and("discussion#d1", note("d1", "changed")).and("discussion#d3", ""), attempt("r2", 1))
	w.must(w.StageChildren(ctx(), []*content.Change{change}))
	w.must(w.put(change))
	if _, expiring := w.keys(ref, ""); len(expiring) > 0 {
		t.Errorf("the commit itself let %v expire", expiring)
	}
	set := w.now.Add(time.Hour).Unix()
	for range 2 { // a repetition changes nothing
		w.must(w.ExpireSuperseded(ctx(), []*content.Change{change}))
		staying, expiring := w.keys(ref, "child#")
		w.same("items that stay", []string{
			"child#description#0#r1.1#000", "child#discussion#d1#r2.1#000", "child#discussion#d2#r1.1#000", "child#entity#0#r1.1#000",
		}, staying)
		superseded := []string{"child#discussion#d1#r1.1#000", "child#discussion#d3#r1.1#000"}
		w.same("items that expire", superseded, expiring)
		for _, sk := range expiring {
			if got := w.item(ref, sk)["expires_at"]; got != float64(set) {
				t.Errorf("%s expires at %v, want %d: an hour after the commit", sk, got, set)
			}
		}
		w.now = w.now.Add(time.Minute)
	}
}

func TestExpireSuperseded_BringsNothingBack(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	w.commit(ref, newIssue())
	w.now = w.now.Add(time.Minute)
	change := w.prepare(ref, newIssue().and("discussion#d1", ""), attempt("r2", 1))
	w.must(w.put(change))
	w.remove(ref, "child#discussion#d1#r1.1#000")
	w.must(w.ExpireSuperseded(ctx(), []*content.Change{change}))
	if item := w.item(ref, "child#discussion#d1#r1.1#000"); item != nil {
		t.Errorf("an expiry brought back %v", item)
	}
}

func TestPrepare_TurningConfidentialHidesWhatIsStored(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	secret := newIssue().with("confidential", true)
	for i, c := range []struct {
		what string
		now  gitlab
		from int64
		hide bool
	}{
		{"public", newIssue(), 0, false},
		{"turned confidential", secret, 2, true},
		{"still confidential", secret.and("discussion#d1", note("d1", "b")), 2, false},
		{"unchanged", secret.and("discussion#d1", note("d1", "b")), 2, false},
		{"public again", newIssue(), 2, false},
		{"confidential again", secret, 6, true},
	} {
		head, change := w.commit(ref, c.now)
		if head.Revision != int64(i+1) || head.DocumentsVisibleFrom != c.from || change.Scope.Hide != c.hide {
			t.Errorf("%s: revision %d, documents visible from %d, hide %v; want %d, %d, %v",
				c.what, head.Revision, head.DocumentsVisibleFrom, change.Scope.Hide, i+1, c.from, c.hide)
		}
	}
	// What was confidential from the start has shown nothing to anyone.
	if head, change := w.commit(issue(2), secret); head.DocumentsVisibleFrom != 0 || change.Scope.Hide {
		t.Errorf("confidential from the start: documents visible from %d, hide %v", head.DocumentsVisibleFrom, change.Scope.Hide)
	}
}

func TestPrepare_NamesWhatChanged(t *testing.T) {
	base := newIssue()
	for i := range 9 {
		id := fmt.Sprintf("e%d", i)
		base = base.and("discussion#"+id, note(id, "x"))
	}
	many := base
	for i := range 8 {
		id := fmt.Sprintf("e%d", i)
		many = many.and("discussion#"+id, note(id, "y"))
	}
	all := surgical.Scope{All: true}
	for name, c := range map[string]struct {
		now     gitlab
		want    surgical.Scope
		written int64
	}{
		"nothing":                    {base, surgical.Scope{}, 0},
		"volatile fields only":       {base.with("user_notes_count", 3).with("upvotes", 1).with("merge_status", "checking"), surgical.Scope{}, 0},
		"a label":                    {base.with("labels", []any{"bug", "new"}), surgical.Scope{Children: []string{"entity#0"}}, 1},
		"the description":            {base.with("description", "Other"), surgical.Scope{Children: []string{"description#0"}}, 1},
		"no description any more":    {base.with("description", nil), surgical.Scope{Children: []string{"description#0"}}, 0},
		"a comment":                  {base.and("discussion#d1", note("d1", "b")), surgical.Scope{Children: []string{"discussion#d1"}}, 1},
		"a removed comment":          {base.and("discussion#d1", ""), surgical.Scope{Children: []string{"discussion#d1"}}, 0},
		"a comment and a label":      {base.and("discussion#z", note("z", "b")).with("labels", nil), surgical.Scope{Children: []string{"discussion#z", "entity#0"}}, 2},
		"the title":                  {base.with("title", "U"), all, 1},
		"the link":                   {base.with("web_url", "https://gitlab.example.com/x"), all, 1},
		"confidentiality":            {base.with("confidential", true), surgical.Scope{All: true, Hide: true}, 1},
		"more than half of children": {many, all, 8},
	} {
		w := newWorld(t)
		if _, first := w.commit(issue(1), base); !first.Changed || !first.Scope.All || first.ChildrenWritten != 12 {
			t.Errorf("the first commit: %+v, %d children", first.Scope, first.ChildrenWritten)
		}
		_, change := w.commit(issue(1), c.now)
		w.same(name, c.want, change.Scope)
		if changed := c.want.All || len(c.want.Children) > 0; change.Changed != changed || change.ChildrenWritten != c.written {
			t.Errorf("%s: changed %v, %d children written", name, change.Changed, change.ChildrenWritten)
		}
	}
}

func TestPrepare_OfMoreChangesThanAScopeNames(t *testing.T) {
	w := newWorld(t)
	base := newIssue()
	for i := range 3 * surgical.MaxNamedChildren {
		id := fmt.Sprintf("e%d", i)
		base = base.and("discussion#"+id, note(id, "x"))
	}
	w.commit(issue(1), base)
	for extra, want := range []bool{false, true} {
		now := base
		for i := range surgical.MaxNamedChildren + extra {
			id := fmt.Sprintf("e%d", i)
			now = now.and("discussion#"+id, note(id, fmt.Sprint("y", extra)))
		}
		_, change := w.commit(issue(1), now)
		if change.Scope.All != want || !want && len(change.Scope.Children) != surgical.MaxNamedChildren {
			t.Errorf("%d changes: all %v, %d named", surgical.MaxNamedChildren+extra, change.Scope.All, len(change.Scope.Children))
		}
		w.commit(issue(1), base)
	}
}

func TestPrepare_OfAnEntityThatCannotBeDecodedFailsForGood(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.Prepare(ctx(), w.snapshot(issue(1), newIssue().with("confidential", 0)), attempt("r1", 1), nil)
	var e *surgical.Error
	if !errors.As(err, &e) || e.Code != surgical.CodeIngestFailed || e.Retryable || e.Action != surgical.ActionContactOperator {
		t.Errorf("an entity that does not say whether it is confidential: %#v", err)
	}
	for name, spoil := range map[string]func(*surgical.Snapshot){
		"broken JSON of the entity": func(s *surgical.Snapshot) { s.Entity = json.RawMessage(`{`) },
		"broken JSON of a child":    func(s *surgical.Snapshot) { s.Children[0].Raw = json.RawMessage(`{`) },
	} {
		snap := w.snapshot(issue(1), newIssue())
		spoil(&snap)
		if change, _, err := w.Prepare(ctx(), snap, attempt("r1", 1), nil); err == nil || change != nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if len(w.db.Items(w.Table())) > 0 {
		t.Error("Prepare wrote something")
	}
}

// What is only displayed does not decide whether an entity can be stored.
func TestPrepare_StoresAnEntityWithOddFields(t *testing.T) {
	for field, value := range map[string]any{
		"title": 7, "state": []string{"opened"}, "labels": "none", "author": "ada", "description": 1, "web_url": false, "draft": 0, "milestone": []int{1},
	} {
		w := newWorld(t)
		change, _, err := w.Prepare(ctx(), w.snapshot(issue(1), newIssue().with(field, value)), attempt("r1", 1), nil)
		if err != nil || change == nil {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestPrepare_ReplacesBytesThatAreNotUTF8(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue().and("discussion#d1", `{"id":"d1","notes":[{"body":"a`+"\xff"+`b"}]}`))
	entity, err := w.Read(ctx(), issue(1))
	w.must(err)
	if got := string(entity.Discussions[0]); !strings.Contains(got, "a\uFFFDb") {
		t.Errorf("stored as %q", got)
	}
}

func TestPrepare_KeepsTheLastRevisionThatChangedContent(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	g := newIssue()
	for i, step := range []struct {
		g    gitlab
		want int64
	}{{g, 1}, {g.with("user_notes_count", 7), 1}, {g, 1}, {g.with("title", "U"), 4}, {g.with("title", "U"), 4}} {
		head, _ := w.commit(ref, step.g)
		if head.Revision != int64(i+1) || head.ChangedRevision != step.want {
			t.Errorf("revision %d changed content last in %d, want %d", head.Revision, head.ChangedRevision, step.want)
		}
	}
	// A head of an earlier version does not say: it may have changed content.
	w.poke(ref, "head", map[string]any{"changed_revision": nil})
	if head, _ := w.commit(ref, g.with("title", "U")); head.ChangedRevision != 5 {
		t.Errorf("after an upgrade, revision %d changed content last in %d, want 5", head.Revision, head.ChangedRevision)
	}
}

func TestPrepare_CarriesOnWhatHides(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	w.commit(ref, newIssue())
	since := w.now.Add(-time.Second)
	w.poke(ref, "head", map[string]any{"hidden_since": since.UnixMicro()})
	for _, title := range []string{"T", "U"} {
		if head, _ := w.commit(ref, newIssue().with("title", title)); !head.HiddenSince.Equal(since) {
			t.Errorf("a commit lost hidden_since: %+v", head)
		}
	}
}

func TestChangeWriteUnits_AreThoseOfTheItemsWritten(t *testing.T) {
	w := newWorld(t)
	g := newIssue().with("description", strings.Repeat("words ", 1000))
	for i := range 80 {
		id := fmt.Sprintf("d%d", i)
		g = g.and("discussion#"+id, note(id, strings.Repeat("x", 40*i)))
	}
	for name, g := range map[string]gitlab{"inline": newIssue(), "parts": g, "in pieces": newIssue().with("description", noise(300_000))} {
		ref := issue(int64(len(name)))
		_, change := w.commit(ref, g)
		want := 0
		for _, item := range w.db.Items(w.Table()) {
			if !sameString(item, key(ref, ""), "pk") {
				continue
			}
			units := dynamo.WriteUnits(dynamo.ItemSize(item))
			if sameString(item, key(ref, "head"), "sk") {
				units *= 2
			}
			want += units
		}
		if got := change.WriteUnits(); got != int64(want) {
			t.Errorf("%s: %d units, the items cost %d", name, got, want)
		}
	}
}

// Fetches are prepared and put in any order, several from the same head.
func TestChangePut_InAnyOrderNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		ref := issue(1)
		type fetch struct {
			snap   surgical.Snapshot
			change *content.Change
		}
		var open []fetch
		shown := surgical.Snapshot{}
		visible := surgical.Head{Ref: ref}
		begin := w.now
		for i := range rapid.IntRange(1, 12).Draw(t, "steps") {
			if len(open) == 0 || rapid.Bool().Draw(t, "fetch") {
				w.now = begin.Add(time.Duration(rapid.IntRange(0, 8).Draw(t, "at")) * time.Second)
				if rapid.IntRange(0, 3).Draw(t, "much later") == 3 {
					w.now = w.now.Add(surgical.Confirmation)
				}
				snap := w.snapshot(ref, newIssue().with("title", fmt.Sprint("fetch ", i)))
				if rapid.Bool().Draw(t, "set back") {
					snap = w.dated(snap, snap.UpdatedAt.Add(-time.Hour))
				}
				snap.FetchedUntil = w.now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "took")) * time.Second)
				change, head, err := w.Prepare(ctx(), snap, attempt(fmt.Sprintf("r%d", i), 1), nil)
				w.must(err)
				confirmed := !snap.FetchedAt.Before(visible.FetchedUntil.Add(surgical.Confirmation))
				if accepts := visible.Revision == 0 || !snap.FetchedAt.Before(visible.FetchedUntil) && (confirmed || !snap.UpdatedAt.Before(visible.UpdatedAt)); accepts != (change != nil) {
					t.Fatalf("prepared %v under %+v", change != nil, head)
				}
				if change != nil {
					open = append(open, fetch{snap, change})
				}
				continue
			}
			n := rapid.IntRange(0, len(open)-1).Draw(t, "commit")
			f := open[n]
			open = slices.Delete(open, n, n+1)
			w.must(w.StageChildren(ctx(), []*content.Change{f.change}))
			err := w.put(f.change)
			if refused := dynamo.Refusals(err) != nil; refused != (f.change.Base.Revision != visible.Revision) {
				t.Fatalf("a change of revision %d put over revision %d: %v", f.change.Base.Revision, visible.Revision, err)
			}
			head, readErr := w.Head(ctx(), ref)
			w.must(readErr)
			wentBack := head.UpdatedAt.Before(visible.UpdatedAt) && head.FetchedAt.Before(visible.FetchedUntil.Add(surgical.Confirmation))
			if head.Revision < visible.Revision || wentBack || head.FetchedAt.Before(visible.FetchedUntil) && err == nil && visible.Exists() {
				t.Fatalf("the head went from %+v to %+v", visible, head)
			}
			if visible = head; err == nil {
				shown = f.snap
				w.must(w.ExpireSuperseded(ctx(), []*content.Change{f.change}))
				w.expire(ref)
			}
			w.shows(ref, shown)
		}
	})
}

// Whatever changes from one fetch to the next: what is committed is read back
// exactly, everything named stays, and everything else is an orphan of nobody.
func TestRead_GivesBackExactlyWhatWasCommitted(t *testing.T) {
	kinds := []surgical.ChildKind{surgical.KindDiscussion, surgical.KindStateEvent, surgical.KindLabelEvent, surgical.KindMilestoneEvent}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		ref := issue(1)
		g := newIssue()
		for range rapid.IntRange(1, 5).Draw(t, "commits") {
			// Sizes on both sides of what a head names itself, and of what parts hold.
			size := rapid.SampledFrom([]int{0, 3, 45, 52, 70, 200}).Draw(t, "size")
			for i := range rapid.IntRange(0, 30).Draw(t, "edits") {
				id := rapid.IntRange(0, size).Draw(t, "id")
				child := fmt.Sprintf("%s#%d", kinds[id%len(kinds)], id)
				g = g.and(child, rapid.SampledFrom([]string{"", note(fmt.Sprint(id), fmt.Sprint("edit ", i)), note(fmt.Sprint(id), "same")}).Draw(t, "child"))
			}
			for i := len(g.children); i < size; i++ {
				child := fmt.Sprintf("%s#%d", kinds[i%len(kinds)], i)
				g = g.and(child, note(fmt.Sprint(i), "filled"))
			}
			for child := range g.children {
				if len(g.children) <= size+10 {
					break
				}
				g = g.and(child, "")
			}
			g = g.with("description", rapid.SampledFrom([]any{nil, "", "Text", "Other"}).Draw(t, "description"))
			w.commit(ref, g)
			w.expire(ref) // no reader may need what expires
			w.shows(ref, w.snapshot(ref, g))
			orphans, err := w.Orphans(ctx(), ref)
			w.must(err)
			if len(orphans) > 0 {
				t.Fatalf("named by nothing, and not expiring: %v", orphans)
			}
		}
	})
}

func TestRead_OfHeadsAndPartsOfEarlierVersions(t *testing.T) {
	w := newWorld(t)
	large := newIssue()
	for i := range 100 {
		id := fmt.Sprintf("d%d", i)
		large = large.and("discussion#"+id, note(id, "x"))
	}
	for iid, g := range []gitlab{newIssue(), large} {
		ref := issue(int64(iid + 1))
		w.commit(ref, g)
		for _, item := range w.db.Items(w.Table()) {
			if sameString(item, key(ref, ""), "pk") {
				withUnits(item)
				_, err := w.raw.PutItem(ctx(), &dynamodb.PutItemInput{TableName: new(w.Table()), Item: item})
				w.must(err)
			}
		}
		w.shows(ref, w.snapshot(ref, g))
		changed := g.and("discussion#d1", note("d1", "changed"))
		if _, change := w.commit(ref, changed); change.ChildrenWritten != 1 {
			t.Errorf("after an upgrade, a changed comment wrote %d children", change.ChildrenWritten)
		}
		w.expire(ref)
		w.shows(ref, w.snapshot(ref, changed))
	}
}

// A head that was read earlier saves a call. If it is outdated, only the commit
// is refused.
func TestPrepare_FromAHeadThatWasReadEarlier(t *testing.T) {
	w := newWorld(t)
	ref := issue(1)
	base := func(ref surgical.EntityRef) *content.Base {
		items, err := dynamo.GetTogether(ctx(), w.raw, w.HeadLookup(ref))
		w.must(err)
		base, err := content.BaseOf(ref, items[0])
		w.must(err)
		return base
	}
	none := base(ref)
	w.same("the head of nothing", surgical.Head{Ref: ref}, none.Head)
	for _, g := range []gitlab{newIssue(), large("parts")} {
		head, _ := w.commit(ref, g)
		read := base(ref)
		w.same("the head", head, read.Head)
		w.now = w.now.Add(time.Minute)
		snap := w.snapshot(ref, g.and("discussion#d1", note("d1", "later")))
		w.calls = nil
		change, _, err := w.Prepare(ctx(), snap, attempt("r9", 1), read)
		w.must(err)
		if n := callsOf[*dynamodb.GetItemInput](w); n != 0 || change.ChildrenWritten != 1 {
			t.Errorf("%d heads read, %d children written", n, change.ChildrenWritten)
		}
		for what, outdated := range map[string]*content.Base{"the head of nothing": none, "an older head": read} {
			w.commit(ref, g)
			late, _, err := w.Prepare(ctx(), snap, attempt("r9", 1), outdated)
			w.must(err)
			if late == nil || dynamo.Refusals(w.put(late)) == nil {
				t.Errorf("a change prepared from %s was put", what)
			}
		}
	}
	// A head of another entity is not a base.
	w.now = w.now.Add(time.Minute)
	if change, _, err := w.Prepare(ctx(), w.snapshot(ref, newIssue()), attempt("r9", 1), base(issue(2))); err != nil || change.Base.Ref != ref || !change.Base.Exists() {
		t.Errorf("prepared from %+v, %v", change, err)
	}
	if _, err := content.BaseOf(ref, dynamo.Item{"revision": key(ref, "x")["sk"]}); err == nil {
		t.Error("a revision of no number is decoded")
	}
}

// A head of an older version asks for all documents anew, even if nothing changed.
func TestPrepare_NamesAllDocumentsOfAnotherFormat(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue())
	for _, item := range w.db.Items(w.Table()) {
		if _, head := item["document_format"]; head {
			delete(item, "document_format")
			if err := dynamo.PutAll(ctx(), w.db.Client(), w.Table(), []dynamo.Item{item}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, change := w.commit(issue(1), newIssue()); !change.Scope.All || change.Changed {
		t.Errorf("the next commit names %+v, changed %v", change.Scope, change.Changed)
	}
	if _, change := w.commit(issue(1), newIssue()); !change.Scope.Empty() {
		t.Errorf("the one after it names %+v", change.Scope)
	}
}

// A new model embeds every document again, from the next commit of its entity on. What
// changes without a model is embedded by the first one that comes.
func TestPrepare_NamesAllDocumentsForAnotherModel(t *testing.T) {
	w := newWorld(t)
	w.commit(issue(1), newIssue())
	comments := 0
	for i, c := range []struct {
		model   string
		comment bool
		want    string
	}{
		{"", false, "nothing"},
		{"a", false, "all"}, {"a", false, "nothing"}, {"a", true, "some"},
		{"", false, "nothing"}, {"a", false, "nothing"},
		{"", true, "some"}, {"", false, "nothing"}, {"a", false, "all"},
		{"b", true, "all"}, {"b", false, "nothing"}, {"a", false, "all"},
	} {
		w.Store = w.EmbeddedBy(c.model)
		now := newIssue()
		if c.comment {
			comments++
		}
		for n := range comments {
			now = now.and(fmt.Sprintf("discussion#e%d", n), note(fmt.Sprintf("e%d", n), "x"))
		}
		_, change := w.commit(issue(1), now)
		got := "some"
		switch {
		case change.Scope.All:
			got = "all"
		case change.Scope.Empty():
			got = "nothing"
		}
		if got != c.want || change.Changed != c.comment {
			t.Errorf("commit %d by %q names %s, want %s; changed is %v", i, c.model, got, c.want, change.Changed)
		}
	}
}

func TestPrepare_CountsWhatEachKindLost(t *testing.T) {
	for name, more := range map[string]int{"in the head": 0, "in parts": 200} {
		base := newIssue()
		for i := range 3 + more {
			base = base.and(fmt.Sprintf("discussion#e%d", i), note(fmt.Sprintf("e%d", i), "x"))
		}
		base = base.and("resource_state_event#1", `{"id":1}`)
		for change, c := range map[string]struct {
			now  gitlab
			want map[surgical.ChildKind]int
		}{
			"nothing":   {base, map[surgical.ChildKind]int{}},
			"an edit":   {base.and("discussion#e1", note("e1", "y")).with("title", "U"), map[surgical.ChildKind]int{}},
			"two left":  {base.and("discussion#e1", "").and("discussion#e2", "").and("resource_state_event#1", ""), map[surgical.ChildKind]int{surgical.KindDiscussion: 2, surgical.KindStateEvent: 1}},
			"one came":  {base.and("discussion#z", note("z", "y")), map[surgical.ChildKind]int{surgical.KindDiscussion: -1}},
			"exchanged": {base.and("discussion#e1", "").and("discussion#z", note("z", "y")), map[surgical.ChildKind]int{surgical.KindDiscussion: 0}},
		} {
			w := newWorld(t)
			w.commit(issue(1), base)
			_, made := w.commit(issue(1), c.now)
			w.same(name+", "+change, c.want, made.Fewer)
		}
	}
}
