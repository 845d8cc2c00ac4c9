package reliability_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/faults"
	"gitlab.com/lorehook/lorehook/test/sample"
)

// extent says how many calls fail.
type extent string

const (
	// once: only this call.
	once extent = "once"
	// minute: for a minute from this call on, every call that can fail in this
	// way.
	minute extent = "minute"
)

// fault is one cell of the matrix.
type fault struct {
	point
	kind faults.Kind
	extent
	// lands is when a late write lands.
	lands time.Duration
}

func (f fault) String() string {
	text := fmt.Sprintf("%s %s at %s", f.kind, f.extent, f.point)
	if f.lands > 0 {
		text += fmt.Sprintf(", lands after %s", f.lands)
	}
	return text
}

// alike groups kinds that differ only in their types: nothing, or everything,
// was applied.
func alike() [][]faults.Kind {
	return [][]faults.Kind{
		{faults.ServerError, faults.BrokenConnection, faults.Timeout, faults.ThroughputExceeded, faults.Throttled},
		{faults.LostAnswer, faults.TimeoutApplied},
		{faults.ForeignForbidden, faults.ForeignNotFound, faults.GatewayForbidden, faults.GatewayNotFound, faults.Redirected, faults.StrippedHeaders, faults.ForeignLinks},
	}
}

// lateness says when a late write lands: almost immediately, after its caller's
// lease was taken over, or as late as a dead function's write can (the sweeper
// waits for 15 minutes).
func lateness() []time.Duration {
	return []time.Duration{3 * time.Second, 4 * time.Minute, 14 * time.Minute}
}

// cells lists the ways in which the calls can fail: all of them, or those that
// are alike in rotation, and one for a call that its function made before.
func cells(points []point, all bool) []fault {
	var list []fault
	for i, p := range points {
		for _, kind := range faults.Kinds() {
			if !kind.Hits(p.operation) || !all && !turn(kind, i) || !all && p.n > 0 && kind != telling()[i%len(telling())] {
				continue
			}
			if kind == faults.LateWrite {
				for j, lands := range lateness() {
					if all || j == i%len(lateness()) {
						list = append(list, fault{p, kind, once, lands})
					}
				}
				if all || p.n == 0 {
					list = append(list, fault{p, kind, minute, 4 * time.Minute})
				}
				continue
			}
			list = append(list, fault{p, kind, once, 0})
			if all || p.n == 0 {
				list = append(list, fault{p, kind, minute, 0})
			}
		}
	}
	return list
}

// turn reports whether it is this kind's turn among those that are like it.
func turn(kind faults.Kind, i int) bool {
	for _, group := range alike() {
		if j := slices.Index(group, kind); j >= 0 {
			return i%len(group) == j
		}
	}
	return true
}

// telling are the kinds that differ most: nothing applied, applied, late.
func telling() []faults.Kind {
	return []faults.Kind{faults.ServerError, faults.LostAnswer, faults.LateWrite}
}

// few lists the cells of a large scenario.
func few(cells []fault) []fault {
	return slices.DeleteFunc(cells, func(f fault) bool { return f.extent != once || !slices.Contains(telling(), f.kind) })
}

// boundary makes the call fail in the given cloud.
func (f fault) boundary(c *cloud.Cloud, s scenario, hit *bool) *boundary {
	held := &faults.Held{}
	var over time.Time
	setting := faults.Setting{Held: held, Replica: c.Replica(), Change: func() {
		if c.GitLab.Has(s.refs[0]) {
			c.GitLab.AddDiscussion(s.refs[0], fakegitlab.Note{Body: "Meanwhile."})
		}
		c.Webhook(s.refs[0])
	}}
	var mu sync.Mutex
	return &boundary{at: func(ctx context.Context, p point, call cloud.Call, send func() error) error {
		mu.Lock()
		here := p.function == f.function && p.call == f.call && p.n == f.n
		if here {
			*hit, over = true, c.Clock.Now().Add(time.Minute)
		}
		during := here || f.extent == minute && f.kind.Hits(call) && c.Clock.Now().Before(over)
		mu.Unlock()
		if !during {
			return send()
		}
		switch f.kind {
		case faults.LateWrite:
			c.After(f.lands, func() { held.Release(); c.Observe() })
		case faults.OldReplica:
			c.Change(setting.Change)
		case faults.EmptiedList:
			// Otherwise an emptied list looks like an empty one.
			if !s.copied(c, call) {
				return send()
			}
		}
		return f.kind.Do(faults.With(ctx, setting), call, send)
	}}
}

// copied reports whether the copy has records of the list that the request to
// GitLab is for.
func (s scenario) copied(c *cloud.Cloud, call cloud.Call) bool {
	requested := call.Input.(*http.Request).URL.Path
	for _, ref := range s.refs {
		if !strings.Contains(requested, fmt.Sprintf("/%ss/%d/", ref.Type, ref.IID)) {
			continue
		}
		entity, err := c.Shown().Read(c.T.Context(), ref)
		if err != nil {
			return false
		}
		list := path.Base(requested)
		return list == "discussions" && len(entity.Discussions) > 0 || len(entity.Events[surgical.ChildKind(strings.TrimSuffix(list, "s"))]) > 0
	}
	return false
}

// fullMatrix requests every cell and every death. Otherwise a call that an
// earlier scenario makes in the same place is skipped, a call that its function made
// before fails in one way, kinds that are alike take turns, and of what is left,
// [sampled] chooses.
const fullMatrix = "LOREHOOK_FULL_MATRIX"

// sampled returns a quarter of the cells or deaths of the nth scenario; in CI all of them.
func sampled[T any](n int, all []T) []T {
	if sample.All() || os.Getenv(fullMatrix) != "" {
		return all
	}
	var some []T
	for i := n % 4; i < len(all); i += 4 {
		some = append(some, all[i])
	}
	return some
}

func TestWhateverFailsTheCopyIsGitLabsTruthInTheEnd(t *testing.T) {
	tried := newTally()
	t.Cleanup(func() { t.Log(tried.table()) })
	seen, full, total := places{}, os.Getenv(fullMatrix) != "", 0
	defer func() { t.Logf("%d cells in total", total) }()
	for n, s := range scenarios() {
		points := s.points(t)
		s.unsuccessful = s.baseline(t)
		if s.large || !full {
			points = seen.without(points)
		}
		seen.add(points)
		cells := sampled(n, cells(points, full))
		if s.large {
			cells = few(cells)
		}
		total += len(cells)
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, f := range cells {
				t.Run(f.String(), func(t *testing.T) { s.fails(t, f) })
				tried.count(f)
			}
		})
	}
}

func (s scenario) fails(t *testing.T, f fault) {
	hit := false
	s.play(t, func(c *cloud.Cloud) *boundary { return f.boundary(c, s, &hit) }, func(c *cloud.Cloud, b *boundary) {
		if !hit {
			c.T.Fatalf("the call was never made")
		}
		if failed := unsuccessful(c); f.harmless() && failed > s.unsuccessful {
			c.T.Errorf("%d runs did not succeed; undisturbed, %d", failed, s.unsuccessful)
		}
		s.recovered(c, b, true)
	})
}

// harmless faults happen once and apply nothing: a retry is enough.
func (f fault) harmless() bool {
	return f.extent == once && !slices.Contains([]faults.Kind{
		faults.LostAnswer, faults.TimeoutApplied, faults.TransactionInProgress, faults.LateWrite, faults.Forbidden, faults.NotFound,
	}, f.kind)
}

// tally counts the faults that were tried.
type tally struct {
	mu     sync.Mutex
	counts map[faults.Kind]map[extent]int
}

func newTally() *tally { return &tally{counts: map[faults.Kind]map[extent]int{}} }

func (t *tally) count(f fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts[f.kind] == nil {
		t.counts[f.kind] = map[extent]int{}
	}
	t.counts[f.kind][f.extent]++
}

// table formats the tally as docs/reliability.md shows it.
func (t *tally) table() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	sum := map[extent]int{}
	b.WriteString("\n| fault | once | for a minute |\n|---|---:|---:|\n")
	for _, kind := range faults.Kinds() {
		n := t.counts[kind]
		fmt.Fprintf(&b, "| `%s` | %d | %d |\n", kind, n[once], n[minute])
		for _, e := range slices.Sorted(maps.Keys(n)) {
			sum[e] += n[e]
		}
	}
	fmt.Fprintf(&b, "| all | %d | %d |", sum[once], sum[minute])
	return b.String()
}
