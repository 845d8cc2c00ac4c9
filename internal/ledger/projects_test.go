package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// onEngines runs a test on the real engines, and in memory: the same rows must come
// of the same calls.
func onEngines(t *testing.T, f func(b *book)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		m := inMemory(t)
		f(m.book)
	})
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		b := &book{T: t, now: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)}
		b.Ledger = ledger.New(e.DynamoDB, e.Tables, func() time.Time { return b.now })
		f(b)
	})
}

func (b *book) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *book) project(id int64) surgical.Project {
	b.Helper()
	p, err := b.Project(b.Context(), id)
	b.must(err)
	return p
}

func (b *book) listed(after int64, atOnce int) (ids []int64) {
	b.Helper()
	for p, err := range b.ProjectsAfter(b.Context(), after, atOnce) {
		b.must(err)
		ids = append(ids, p.ID)
	}
	return ids
}

func TestProject_HasWhatWasRecorded(t *testing.T) {
	onEngines(t, func(b *book) {
		ctx := b.Context()
		if diff := cmp.Diff(surgical.Project{ID: 7}, b.project(7)); diff != "" {
			b.Errorf("before it was added (-want +got):\n%s", diff)
		}
		at := func(minutes int) time.Time { return b.now.Add(time.Duration(minutes) * time.Minute) }
		want := surgical.Project{
			ID: 7, Known: true, Path: "group/sub.group/Project-1", PathAt: at(1), UnseenSince: at(2), CompleteAsOf: at(8), CompleteSince: at(4),
			CompleteExcept: []surgical.Target{{Type: surgical.Issue, IID: 7}, {Type: surgical.MergeRequest, IID: 12}},
			HiddenAt:       at(3),
			Unreadable:     surgical.Unreadable{Records: 2, At: at(7)},
			Counts:         surgical.ProjectCounts{Issues: 12_000, MergeRequests: 3, At: at(5)},
			Hook:           surgical.HookCheck{State: surgical.HookDisabled, ID: 44, Reason: "it failed 40 times", CheckedAt: at(6), Findings: 2, Group: "group", Signed: true, LastDelivery: 9031, ReadAt: at(7), NoLog: "too old", Unread: "2000:100", UnreadTo: 7000},
			LastCensus: surgical.Censused{
				Cycle: "s1", BeganAt: at(8), EndedAt: at(9), Listed: 300, Fetched: 290, Failed: 2, Requests: 1500,
				Found: map[surgical.Finding]int64{surgical.FoundGone: 2, surgical.FoundLabels: 40},
			},
			LastReconcile: surgical.Reconciled{
				Cycle: "c1", BeganAt: at(6), EndedAt: at(7), Listed: 200, Different: 60, Missed: 59, Requests: 4,
			},
		}
		b.must(b.NameProject(ctx, 7, want.Path, want.PathAt))
		b.must(b.UnseenProject(ctx, 7, want.UnseenSince))
		b.must(b.HideProject(ctx, 7, want.HiddenAt))
		b.must(b.CompleteProject(ctx, 7, want.CompleteAsOf, want.CompleteSince, want.CompleteExcept...))
		b.must(b.UnreadableProject(ctx, 7, want.Unreadable))
		b.must(b.ReadableProject(ctx, 7, want.Unreadable.At)) // lists that began earlier did not show them
		b.must(b.CountProject(ctx, 7, want.Counts))
		b.must(b.CheckHook(ctx, 7, want.Hook))
		b.must(b.ReconcileProject(ctx, 7, want.LastReconcile))
		b.must(b.CensusProject(ctx, 7, want.LastCensus))
		if diff := cmp.Diff(want, b.project(7)); diff != "" {
			b.Errorf("project (-want +got):\n%s", diff)
		}
		b.must(b.CompleteProject(ctx, 7, want.CompleteAsOf, want.CompleteSince))
		if got := b.project(7); got.CompleteExcept != nil {
			b.Errorf("complete but for %v", got.CompleteExcept)
		}
		b.must(b.CompleteProject(ctx, 7, want.CompleteAsOf, want.CompleteSince, want.CompleteExcept...))
		b.must(b.ReadableProject(ctx, 7, at(8)))
		b.must(b.ReadableProject(ctx, 7, at(8))) // again
		if got := b.project(7); got.Unreadable != (surgical.Unreadable{}) {
			b.Errorf("%+v after lists that could be read", got.Unreadable)
		}
		want.Unreadable = surgical.Unreadable{}
		all, err := b.ProjectsOf(ctx, []int64{8, 7})
		b.must(err)
		if diff := cmp.Diff([]surgical.Project{{ID: 8}, want}, all); diff != "" {
			b.Errorf("projects (-want +got):\n%s", diff)
		}
	})
}

func TestProjects_AreListedOnceInTheOrderOfTheirIDs(t *testing.T) {
	onEngines(t, func(b *book) {
		if ids := b.listed(0, 10); len(ids) > 0 {
			b.Errorf("of an empty table: %v", ids)
		}
		for _, id := range []int64{1 << 53, 9, 100, 10, 9} {
			b.must(b.AddProject(b.Context(), id))
		}
		b.must(b.NameProject(b.Context(), 11, "group/project", b.now))
		b.must(b.HideAllProjects(b.Context(), b.now))
		for _, atOnce := range []int{1, 2, 5, 100} {
			if got, want := b.listed(0, atOnce), []int64{9, 10, 11, 100, 1 << 53}; !slices.Equal(got, want) {
				b.Errorf("by %d: %v, want %v", atOnce, got, want)
			}
			if got, want := b.listed(10, atOnce), []int64{11, 100, 1 << 53}; !slices.Equal(got, want) {
				b.Errorf("after 10 by %d: %v, want %v", atOnce, got, want)
			}
		}
		for p, err := range b.Projects(b.Context()) {
			b.must(err)
			if !p.Known || !p.HiddenAt.Equal(b.now) {
				b.Errorf("listed as %+v", p)
			}
			break
		}
	})
}

// DynamoDB may return a page that is short, or even empty, without being the last.
func TestProjects_AreListedToTheEndWhateverThePages(t *testing.T) {
	m := inMemory(t)
	for id := range int64(5) {
		m.must(m.AddProject(m.Context(), id+1))
	}
	empty := false
	m.around = func(input any, send func() (any, error)) (any, error) {
		in, ok := input.(*dynamodb.QueryInput)
		if !ok {
			return send()
		}
		if empty = !empty; empty {
			start := in.ExclusiveStartKey
			if start == nil {
				start = dynamo.Item{"project_id": &types.AttributeValueMemberN{Value: "0"}, "item": str("id#")}
			}
			return &dynamodb.QueryOutput{LastEvaluatedKey: start}, nil
		}
		in.Limit = aws.Int32(1)
		return send()
	}
	for _, atOnce := range []int{1, 2, 100} {
		if got, want := m.listed(0, atOnce), []int64{1, 2, 3, 4, 5}; !slices.Equal(got, want) {
			t.Errorf("by %d: %v, want %v", atOnce, got, want)
		}
	}
}

func TestAddProject_ChangesNoExistingRow(t *testing.T) {
	onEngines(t, func(b *book) {
		b.must(b.NameProject(b.Context(), 7, "group/project", b.now))
		b.must(b.HideProject(b.Context(), 7, b.now))
		before := b.project(7)
		b.must(b.AddProject(b.Context(), 7))
		if diff := cmp.Diff(before, b.project(7)); diff != "" {
			b.Errorf("(-before +after):\n%s", diff)
		}
	})
}

func TestProjectByPath_FindsProjectsByTheirCurrentAndEarlierPaths(t *testing.T) {
	onEngines(t, func(b *book) {
		begin := b.now
		name := func(id int64, path string, minute int) {
			b.must(b.NameProject(b.Context(), id, path, begin.Add(time.Duration(minute)*time.Minute)))
		}
		expect := func(when string, want map[string]int64) {
			b.Helper()
			got := map[string]int64{}
			for path := range want {
				id, err := b.ProjectByPath(b.Context(), path)
				b.must(err)
				got[path] = id
			}
			if diff := cmp.Diff(want, got); diff != "" {
				b.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		expect("in an empty table", map[string]int64{"group/one": 0})
		name(1, "Group/One", 10)
		expect("in any case", map[string]int64{"group/one": 1, "GROUP/ONE": 1, "group/one/": 0, "group": 0})
		name(1, "group/uno", 20)
		expect("renamed", map[string]int64{"group/one": 1, "group/uno": 1})
		name(1, "group/one", 15) // a slow fetch from before
		if got := b.project(1).Path; got != "group/uno" {
			b.Errorf("an earlier fetch renamed it to %q", got)
		}
		name(2, "group/one", 12) // another project cannot have had it while this one did
		expect("claimed by an earlier fetch of another", map[string]int64{"group/one": 2, "group/uno": 1})
		name(2, "group/two", 30)
		name(3, "group/one", 25)
		expect("taken over", map[string]int64{"group/one": 3, "group/uno": 1, "group/two": 2})
		name(2, "group/one", 24)
		name(4, "group/one", 25)
		expect("after claims that are not later", map[string]int64{"group/one": 3, "group/two": 2})
		if p := b.project(4); p.Known || p.Path != "" {
			b.Errorf("a refused name left %+v", p)
		}
		name(1, "group/one", 40)
		name(1, "group/uno", 50)
		name(1, "group/one", 60)
		expect("renamed back", map[string]int64{"group/one": 1, "group/uno": 1})
		if got := b.project(1).Path; got != "group/one" {
			b.Errorf("renamed back, its path is %q", got)
		}
	})
}

func TestNameProject_RefusesWhatIsNotAPath(t *testing.T) {
	m := inMemory(t)
	for _, path := range []string{"", "project", "/group/project", "group//project", "a b/c"} {
		if err := m.NameProject(m.Context(), 1, path, m.now); err == nil {
			t.Errorf("%q was stored", path)
		}
	}
	if rows := m.db.Items(m.tables.Projects); len(rows) > 0 {
		t.Errorf("rows: %v", rows)
	}
}

func TestHideProject_IsNeverUndone(t *testing.T) {
	onEngines(t, func(b *book) {
		begin := b.now
		at := func(minutes int) time.Time { return begin.Add(time.Duration(minutes) * time.Minute) }
		hide := func(minutes int) { b.must(b.HideProject(b.Context(), 7, at(minutes))) }
		all := func(minutes int) { b.must(b.HideAllProjects(b.Context(), at(minutes))) }
		for i, c := range []struct {
			change      func(int)
			to          int
			want, other int // of project 7, and of one without a row
		}{
			{hide, 10, 10, 0}, {hide, 9, 10, 0}, {hide, 11, 11, 0}, {all, 5, 11, 5}, {all, 20, 20, 20}, {all, 19, 20, 20}, {hide, 15, 20, 20}, {hide, 21, 21, 20},
		} {
			c.change(c.to)
			if got := b.project(7); !got.Known || !got.HiddenAt.Equal(at(c.want)) {
				b.Errorf("step %d: hidden at %v, want %v", i, got.HiddenAt, at(c.want))
			}
			want := surgical.Project{ID: 8}
			if c.other > 0 {
				want.HiddenAt = at(c.other)
			}
			if diff := cmp.Diff(want, b.project(8)); diff != "" {
				b.Errorf("step %d: another project (-want +got):\n%s", i, diff)
			}
		}
	})
}

// Nothing of the content table changes, so the feeds' readers learn of it only by this.
func TestHideProject_RestartsTheFeeds(t *testing.T) {
	for name, hide := range map[string]func(*memory) error{
		"one": func(m *memory) error { return m.HideProject(m.Context(), 7, m.now) },
		"all": func(m *memory) error { return m.HideAllProjects(m.Context(), m.now) },
	} {
		m := inMemory(t)
		feeds := feed.NewStore(m.db.Client(), m.tables.Feed, func() time.Time { return m.now })
		before, err := feeds.End(m.Context(), feed.Entities)
		m.must(err)
		m.must(hide(m))
		after, err := feeds.End(m.Context(), feed.Entities)
		m.must(err)
		if after.Epoch != before.Epoch+1 {
			t.Errorf("%s: the epoch went from %d to %d", name, before.Epoch, after.Epoch)
		}
	}
}

func TestUnseenProject_KeepsTheFirstTimeUntilItIsSeen(t *testing.T) {
	onEngines(t, func(b *book) {
		first := b.now
		b.must(b.UnseenProject(b.Context(), 7, first))
		b.must(b.UnseenProject(b.Context(), 7, first.Add(time.Hour)))
		seen := b.project(7)
		if !seen.UnseenSince.Equal(first) {
			b.Errorf("unseen since %v, want %v", seen.UnseenSince, first)
		}
		b.must(b.SeenProject(b.Context(), seen))
		if got := b.project(7); !got.UnseenSince.IsZero() {
			b.Errorf("seen again, but unseen since %v", got.UnseenSince)
		}
		b.must(b.UnseenProject(b.Context(), 7, first.Add(2*time.Hour)))
		b.must(b.SeenProject(b.Context(), seen)) // it was read before that
		if got := b.project(7); !got.UnseenSince.Equal(first.Add(2 * time.Hour)) {
			b.Errorf("unseen since %v after a late answer", got.UnseenSince)
		}
	})
}

// All runs of a project that goes out of sight record it at the same time: transactions
// on its row would get in each other's way.
func TestUnseenProject_IsOneWriteOfAKnownProject(t *testing.T) {
	m := inMemory(t)
	m.must(m.AddProject(m.Context(), 7))
	for range 2 {
		m.calls = nil
		m.must(m.UnseenProject(m.Context(), 7, m.now))
		if _, ok := m.calls[0].(*dynamodb.UpdateItemInput); !ok || len(m.calls) != 1 {
			t.Errorf("%d calls, the first a %T", len(m.calls), m.calls[0])
		}
	}
}

func TestProjects_ReportEveryFailure(t *testing.T) {
	broken := errors.New("broken")
	list := func(m *memory) error {
		for _, err := range m.Projects(m.Context()) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	change := map[string]func(context.Context, *memory) error{
		"add":      func(ctx context.Context, m *memory) error { return m.AddProject(ctx, 7) },
		"name":     func(ctx context.Context, m *memory) error { return m.NameProject(ctx, 7, "a/b", m.now) },
		"hide":     func(ctx context.Context, m *memory) error { return m.HideProject(ctx, 7, m.now) },
		"hide all": func(ctx context.Context, m *memory) error { return m.HideAllProjects(ctx, m.now) },
		"unseen":   func(ctx context.Context, m *memory) error { return m.UnseenProject(ctx, 7, m.now) },
		"seen":     func(ctx context.Context, m *memory) error { return m.SeenProject(ctx, surgical.Project{ID: 7}) },
		"read":     func(ctx context.Context, m *memory) error { _, err := m.Project(ctx, 7); return err },
		"path":     func(ctx context.Context, m *memory) error { _, err := m.ProjectByPath(ctx, "a/b"); return err },
		"list":     func(_ context.Context, m *memory) error { return list(m) },
	}
	for name, f := range change {
		for _, fail := range []func(*memory, bool, error){
			failing[*dynamodb.TransactWriteItemsInput], failing[*dynamodb.UpdateItemInput], failing[*dynamodb.BatchGetItemInput],
			failing[*dynamodb.GetItemInput], failing[*dynamodb.QueryInput],
		} {
			m := inMemory(t)
			m.must(m.AddProject(m.Context(), 9))
			m.calls = nil
			fail(m, false, broken)
			used := false
			around := m.around
			m.around = func(input any, send func() (any, error)) (any, error) {
				out, err := around(input, send)
				used = used || errors.Is(err, broken)
				return out, err
			}
			if err := f(m.Context(), m); used != errors.Is(err, broken) {
				t.Errorf("%s: a call failed %v, reported %v", name, used, err)
			}
			// A write whose response was lost is repeated without harm.
			fail(m, true, broken)
			_ = f(m.Context(), m)
			m.around = nil
			m.must(f(m.Context(), m))
		}
	}
	if fmt.Sprint(change["list"](t.Context(), inMemory(t))) != "<nil>" {
		t.Error("an empty list failed")
	}
}

func TestForgetProject_RemovesOnlyWhatGitLabHasNeverShown(t *testing.T) {
	onEngines(t, func(b *book) {
		ctx := b.Context()
		for _, id := range []int64{1, 2} {
			b.must(b.UnseenProject(ctx, id, b.now))
			b.save(surgical.Pass{ProjectID: id, Kind: surgical.PassReconcile, ID: fmt.Sprint(id, "-r"), Status: surgical.StatusFailed}, ledger.PassChange{})
		}
		b.must(b.NameProject(ctx, 2, "group/shown", b.now))
		for _, id := range []int64{1, 2, 3} {
			b.must(b.ForgetProject(ctx, id))
		}
		if ids := b.listed(0, 10); !slices.Equal(ids, []int64{2}) || b.project(1).Known || !b.project(2).Known {
			b.Errorf("known are %v", ids)
		}
		for id, exists := range map[int64]bool{1: false, 2: true} {
			if p, err := b.Pass(ctx, id, surgical.PassReconcile); err != nil || p.Exists() != exists {
				b.Errorf("project %d: %+v, %v", id, p, err)
			}
		}
	})
}
