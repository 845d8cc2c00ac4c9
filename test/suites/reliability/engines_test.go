package reliability_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
)

// every says which deaths are tried on the real engines: every nth.
const every = 149

// The complete enumeration runs on the in-memory DynamoDB, which the
// conformance suite compares with the real engines; this runs a sample on
// these.
func TestWhereverAProcessDiesOnARealEngineTheCopyIsGitLabsTruthInTheEnd(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		n := 0
		for _, s := range scenarios() {
			if s.huge {
				continue
			}
			for _, d := range deaths(s.points(t)) {
				if n++; n%every != 0 {
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
