package invariants_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/demogitlab"
	"gitlab.com/lorehook/lorehook/internal/devstack/enginetest"
	"gitlab.com/lorehook/lorehook/internal/pipelinetest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Decision 005: no two attempts share the key of what they stage.
func TestInvariant9WhatALostAttemptStagedMayLandAfterTheCommitOfTheNext(t *testing.T) {
	enginetest.Run(t, func(t *testing.T, e enginetest.Engine) {
		var late []func() error
		hold := true
		db := pipelinetest.Intercept(e.DynamoDB, func(_ context.Context, call pipelinetest.Call, send func() error) error {
			if hold && call.Operation == "BatchWriteItem" {
				late = append(late, call.Land)
				return errors.New("the answer got lost")
			}
			return send()
		})
		w := pipelinetest.New(t, db, e.Tables)
		ref := demogitlab.IssueRef(7)
		req := w.Request(surgical.OriginManual, ref)
		if verdict, err := w.Deliver(req); verdict.Delete || surgical.CodeOf(err) != surgical.CodeIngestFailed || len(late) == 0 {
			t.Fatalf("verdict %v after %d writes, error %v", verdict, len(late), err)
		}
		hold = false
		w.GitLab.Edit(ref, func(c *demogitlab.Common) { c.Description = "Another description." })
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
