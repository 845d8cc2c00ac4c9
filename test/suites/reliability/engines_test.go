package reliability_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	"gitlab.com/lorehook/lorehook/test/sample"
)

// every says which deaths are tried on a real engine: every nth.
func every() int { return sample.Of(401, 1009) }

// The complete enumeration runs on the in-memory DynamoDB, which the
// conformance suite compares with the real engines; this runs a sample on one
// of them, in CI on both.
func TestWhereverAProcessDiesOnARealEngineTheCopyIsGitLabsTruthInTheEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a real engine: not with -short")
	}
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		n := 0
		for _, s := range scenarios() {
			if s.huge {
				continue
			}
			for _, d := range deaths(s.points(t)) {
				if n++; n%every() != 0 {
					continue
				}
				t.Run(s.name+" "+d.String(), func(t *testing.T) {
					died := false
					e := fresh(t, e)
					c := cloud.New(t, e.DynamoDB, e.Tables)
					c.Fate, c.Unobserved, c.LendAPI = d.fate, true, s.apis.Lend
					b := d.boundary(&died)
					s.run(c, b)
					if !died {
						t.Fatal("the point was never reached")
					}
					s.recovered(c, b, d.fate != cloud.Lost)
				})
			}
		}
	})
}
