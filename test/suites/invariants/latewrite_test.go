package invariants_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Decision 005: no two attempts stage items under the same key.
func TestInvariant9WhatALostAttemptStagedMayLandAfterTheCommitOfTheNext(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		var late []func() error
		hold := true
		db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			if hold && call.Operation == "BatchWriteItem" {
				late = append(late, call.Land)
				return errors.New("the answer got lost")
			}
			return send()
		})
		w := cloud.NewWorld(t, db, e.Tables)
		ref := fakegitlab.IssueRef(7)
		req := w.Request(surgical.OriginManual, ref)
		if verdict, err := w.Deliver(req); cloud.Deleted(verdict) || surgical.CodeOf(err) != surgical.CodeIngestFailed || len(late) == 0 {
			t.Fatalf("verdict %v after %d writes, error %v", verdict, len(late), err)
		}
		hold = false
		w.GitLab.Edit(ref, func(c *fakegitlab.Common) { c.Description = "Another description." })
		run := w.Sync(req)
		want := w.Entity(ref)
		for _, land := range late {
			if err := land(); err != nil {
				t.Fatal(err)
			}
		}
		if run.Attempt != 2 || !strings.Contains(string(want.Entity), "Another description.") {
			t.Errorf("after %d attempts: %s", run.Attempt, want.Entity)
		}
		if diff := cmp.Diff(want, w.Entity(ref)); diff != "" {
			t.Errorf("the copy changed (-before +after):\n%s", diff)
		}
	})
}

// An issue becomes confidential. The stage that removes what this hides dies
// and is repeated; then the first one's removals land.
func TestARemovalOfHiddenBytesThatLandsLateHitsNothingNewer(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		var mu sync.Mutex // removals are concurrent
		var late []func() error
		hold := false
		db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			if hold && call.Operation == "DeleteItem" {
				mu.Lock()
				defer mu.Unlock()
				late = append(late, call.Land)
				return errors.New("the answer got lost")
			}
			return send()
		})
		w := cloud.NewWorld(t, db, e.Tables)
		ref := fakegitlab.IssueRef(7)
		w.Sync(w.Request(surgical.OriginManual, ref))
		w.GitLab.EditIssue(ref, func(i *fakegitlab.Issue) { i.Confidential = true })
		hiding := committed(w, ref)
		hold = true
		if _, err := w.Docs.Handle(t.Context(), hiding); err == nil || len(late) == 0 {
			t.Fatalf("%d removals, error %v", len(late), err)
		}
		hold = false
		handle(w, w.Docs, hiding)
		handle(w, w.Embed, hiding)
		want := embedded(w, t, ref)
		for _, land := range late {
			if err := land(); err != nil {
				t.Log(err) // refused, as expected
			}
		}
		if diff := cmp.Diff(want, embedded(w, t, ref)); diff != "" {
			t.Errorf("documents (-before +after):\n%s", diff)
		}
	})
}
