package reliability_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// death is one way to die: before or after a call, and the fate of the work.
type death struct {
	point
	after bool
	fate  cloud.Fate
}

func (d death) String() string {
	when := "before"
	if d.after {
		when = "after"
	}
	return fmt.Sprintf("%s %s, %s", when, d.point, []string{"redelivered", "repeated", "lost"}[d.fate])
}

// deaths lists every way to die at the points: before and after every call that
// writes. A process that dies between two of these leaves the same state as one
// that dies just before the second.
func deaths(points []point) []death {
	var all []death
	for _, p := range points {
		if !p.operation.Writes() {
			continue
		}
		fates := []cloud.Fate{cloud.Redelivered, cloud.Lost}
		if slices.Contains([]string{"docs", "embed", "finish", "abort"}, p.function) {
			fates = append(fates, cloud.Repeated)
		}
		for _, fate := range fates {
			all = append(all, death{p, false, fate}, death{p, true, fate})
		}
	}
	return all
}

// boundary kills the process at the point.
func (d death) boundary(died *bool) *boundary {
	return &boundary{at: func(ctx context.Context, p point, _ cloud.Call, send func() error) error {
		if p.function != d.function || p.call != d.call || p.n != d.n || *died {
			return send()
		}
		*died = true
		if d.after {
			if err := send(); err != nil {
				return err
			}
		}
		cloud.ProcessOf(ctx).Kill()
		return nil
	}}
}

func TestWhereverAProcessDiesTheCopyIsGitLabsTruthInTheEnd(t *testing.T) {
	seen, full, total := places{}, os.Getenv(fullMatrix) != "", 0
	defer func() { t.Logf("%d deaths in total", total) }()
	for n, s := range scenarios() {
		points := s.points(t)
		s.unsuccessful = s.baseline(t)
		if s.huge || !full {
			points = seen.without(points)
		}
		seen.add(points)
		all := sampled(n, deaths(points))
		if s.huge {
			all = slices.DeleteFunc(all, func(d death) bool { return d.fate == cloud.Redelivered })
		}
		total += len(all)
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, d := range all {
				t.Run(d.String(), func(t *testing.T) { s.dies(t, d) })
			}
			t.Logf("%d deaths", len(all))
		})
	}
}

func (s scenario) dies(t *testing.T, d death) {
	died := false
	s.play(t, func(c *cloud.Cloud) *boundary {
		c.Fate = d.fate
		return d.boundary(&died)
	}, func(c *cloud.Cloud, b *boundary) {
		if !died {
			c.T.Fatalf("the point was never reached")
		}
		if failed := unsuccessful(c); d.harmless() && failed > s.unsuccessful {
			c.T.Errorf("%d runs did not succeed; undisturbed, %d", failed, s.unsuccessful)
		}
		s.recovered(c, b, d.fate != cloud.Lost)
	})
}

// harmless deaths do not make a run fail: a worker's, and a stage's if its
// execution is repeated.
func (d death) harmless() bool {
	switch d.function {
	case "docs", "embed", "finish":
		return d.fate == cloud.Repeated
	case "abort":
		return false
	}
	return d.fate == cloud.Redelivered
}
