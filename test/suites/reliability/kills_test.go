package reliability_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// killer kills docs and embed at random calls, reads included.
type killer struct {
	mu sync.Mutex
	*rand.Rand
	// left counts down to the call before or after which the process dies.
	left int
	// deaths of the current run: fewer than [surgical.MaxLostStages], the number of
	// executions it may lose.
	deaths int
	killed map[string]int
}

// aim chooses the next call. A stage makes some ten to thirty.
func (k *killer) aim() { k.left = k.IntN(30) }

// hits reports whether this is the call, and whether it has an effect.
func (k *killer) hits(function string) (hit, applied bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if function != "docs" && function != "embed" || k.deaths == surgical.MaxLostStages-1 {
		return false, false
	}
	if k.left--; k.left >= 0 {
		return false, false
	}
	k.aim()
	k.deaths++
	k.killed[function]++
	return true, k.IntN(2) == 0
}

func (k *killer) around(ctx context.Context, _ cloud.Call, send func() error) error {
	p := cloud.ProcessOf(ctx)
	hit, applied := k.hits(p.Function)
	if !hit {
		return send()
	}
	if applied {
		if err := send(); err != nil {
			return err
		}
	}
	p.Kill()
	return nil
}

// Each run loses up to four processes, and its execution is retried, repeated, or lost.
func TestFortyKillsOfDocsAndEmbedAtRandomMomentsFailNoRun(t *testing.T) {
	worlds := uint64(1)
	if os.Getenv(fullMatrix) != "" {
		worlds = 25
	}
	for seed := range worlds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inCloud(t, func(t *testing.T, c *cloud.Cloud) { fortyKills(t, c, seed) })
		})
	}
}

func fortyKills(t *testing.T, c *cloud.Cloud, seed uint64) {
	refs := []surgical.EntityRef{issue(70), issue(71), issue(72)}
	for _, ref := range refs {
		small(c, ref.IID)
		c.Webhook(ref)
	}
	c.Settle()
	k := &killer{Rand: rand.New(rand.NewPCG(seed, 0)), killed: map[string]int{}}
	k.aim()
	c.Around = k.around
	runs := 0
	for k.killed["docs"]+k.killed["embed"] < 40 {
		runs++
		ref := refs[k.IntN(len(refs))]
		for i := range 5 + k.IntN(30) {
			c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprintf("Comment %d of run %d", i, runs)})
		}
		k.deaths = 0
		c.Fate = []cloud.Fate{cloud.Redelivered, cloud.Repeated, cloud.Lost}[k.IntN(3)]
		req := c.Webhook(ref)
		c.Settle()
		run, err := c.Ledger.Run(t.Context(), req.RunID)
		if err != nil {
			t.Fatal(err)
		}
		if run.Status != surgical.StatusSucceeded {
			t.Errorf("after %d kills: %s", k.deaths, cloud.Outcome(run))
		}
	}
	c.Around = nil
	c.Check(refs...)
	failed := unsuccessful(c)
	if failed > 0 {
		t.Errorf("%d runs failed", failed)
	}
	t.Logf("%d kills of docs and %d of embed in %d runs, of which %d failed", k.killed["docs"], k.killed["embed"], runs, failed)
}
