package surgical_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestWhy_SaysWhatAPersonOnCallNeedsToKnow(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	copied := surgical.Head{
		Ref: ref, Revision: 3, RunID: "w1", UpdatedAt: at.Add(-time.Hour), FetchedAt: at.Add(-10 * time.Minute), FetchedUntil: at.Add(-10 * time.Minute),
	}
	head := func(change func(*surgical.Head)) surgical.Head {
		h := copied
		change(&h)
		return h
	}
	delivered := func(ago time.Duration, change func(*surgical.Run)) surgical.Run {
		run := surgical.Run{
			Request: surgical.Request{RunID: "w9", ProjectID: 1, Targets: []surgical.Target{ref.Target}, Origin: surgical.OriginWebhook, EventAt: at.Add(-ago)},
			Status:  surgical.StatusSucceeded, CreatedAt: at.Add(-ago), FinishedAt: at.Add(-ago).Add(5 * time.Second),
		}
		if change != nil {
			change(&run)
		}
		return run
	}
	for name, c := range map[string]struct {
		why       surgical.Why
		says, not string
	}{
		"a current copy": {
			surgical.Why{Head: copied, Ended: []surgical.Run{delivered(time.Hour, nil)}},
			"The copy is shown. It is revision 3|last delivery about it arrived at 2026-11-29 11:00:00Z (1 h 0 min ago) in run w9; the copy shows it|w9 (webhook), succeeded at|documents and embeddings are current", "hidden",
		},
		"a confidential copy": {surgical.Why{Head: head(func(h *surgical.Head) { h.Attributes.Confidential = true })}, "shown, as confidential", "hidden"},
		"nothing known":       {surgical.Why{}, "no run of it is known|None of its last runs", "documents are"},
		"a copy that failed":  {surgical.Why{Ended: []surgical.Run{delivered(time.Hour, nil)}}, "There is no copy.|no copy from after that is stored", "the copy shows it"},
		"a tombstone":         {surgical.Why{Head: head(func(h *surgical.Head) { h.Gone = true })}, "The copy is removed|comes back with a later fetch that finds it", "is shown"},
		"erased": {
			surgical.Why{Head: surgical.Head{Ref: ref, Revision: 4, ErasedAt: at.Add(-time.Minute)}, Ended: []surgical.Run{delivered(time.Second, func(r *surgical.Run) {
				r.Outcomes = map[surgical.Target]surgical.Outcome{ref.Target: {Status: surgical.EntitySkippedErased}}
			})}},
			"erased at 2026-11-29 11:59:00Z (1 min 0 s ago) by request|lore erase --undo|without fetching it, because it was erased", "There is no copy",
		},
		"called confidential": {
			surgical.Why{Head: head(func(h *surgical.Head) { h.HiddenSince = at.Add(-time.Minute) })},
			"hidden since 2026-11-29 11:59:00Z (1 min 0 s ago):|only if it begins at 2026-11-29 12:04:00Z or later", "is shown.",
		},
		"called confidential without a copy": {
			surgical.Why{Head: surgical.Head{Ref: ref, Revision: 1, HiddenSince: at.Add(-time.Minute)}}, "There is no copy. A delivery at", "is shown.",
		},
		"a hidden project": {
			surgical.Why{Head: copied, Project: surgical.Project{HiddenAt: at}}, "fetched before 2026-11-29 12:00:00Z is|once it has been fetched again", "is shown.",
		},
		"a comment that GitLab's answer lacked": {
			surgical.Why{Head: copied, Ended: []surgical.Run{delivered(time.Hour, func(r *surgical.Run) { r.Evidence.NoteID, r.BehindEvent = 55, true })}},
			"announced comment 55; the copy was fetched after that, but GitLab's answer did not show it|contradicted what was known", "the copy shows it",
		},
		"a run that waits": {
			surgical.Why{Head: copied, Open: []surgical.Run{delivered(time.Minute, func(r *surgical.Run) {
				r.Status, r.Stage, r.Attempt = surgical.StatusRunning, surgical.StagePreflight, 2
				r.Error = surgical.NewError(surgical.CodeGitLabRateLimited, "GitLab answered 429")
			})}},
			"Run w9 (webhook) has been running since|in attempt 2, preflight. It waits: gitlab_rate_limited: GitLab answered 429", "last run that ended",
		},
		"runs that failed": {
			surgical.Why{Head: copied, Ended: []surgical.Run{
				delivered(time.Minute, func(r *surgical.Run) {
					r.Status, r.Error = surgical.StatusFailed, surgical.NewError(surgical.CodeGitLabForbidden, "denied")
				}),
				delivered(time.Hour, func(r *surgical.Run) { r.Status = surgical.StatusFailed }),
			}},
			"failed at|gitlab_forbidden: denied|Of its last 2 runs, 2 failed|no copy from after that is stored", "shows it",
		},
		"a follow-up":                     {surgical.Why{Head: copied, FollowUp: &surgical.FollowUp{NotBefore: at.Add(time.Minute)}}, "fetched again at 2026-11-29 12:01:00Z", "within a minute"},
		"one that is due":                 {surgical.Why{Head: copied, FollowUp: &surgical.FollowUp{NotBefore: at}}, "fetched again within a minute", "fetched again at"},
		"documents behind":                {surgical.Why{Head: copied, Behind: &surgical.Behind{Since: at, Changes: 2, Reason: "refused", RunID: "w1", State: surgical.BehindHeldBack}}, "behind since 2026-11-29 12:00:00Z, by 2 changes: refused (run w1). They are held back", "are current"},
		"a project that was never listed": {surgical.Why{Head: copied}, "what no delivery announced may be missing", "is in the copy"},
		"a webhook that was not checked": {
			surgical.Why{Head: copied, Project: surgical.Project{Path: "demo/new"}}, "has not been checked yet. It is checked within a minute", "webhook was",
		},
		"nor could it be": {surgical.Why{Head: copied}, "has not been checked yet. That follows the first pass", "within a minute"},
		"a webhook that was missing": {
			surgical.Why{Head: copied, Project: surgical.Project{Hook: surgical.HookCheck{State: surgical.HookMissing, CheckedAt: at.Add(-10 * time.Minute)}}},
			"At 2026-11-29 11:50:00Z (10 min 0 s ago) the project's webhook was missing. It is checked again at 2026-11-29 12:50:00Z", "arrived since",
		},
		"a webhook that was added since": {
			surgical.Why{
				Head: copied, Project: surgical.Project{Hook: surgical.HookCheck{State: surgical.HookMissing, CheckedAt: at.Add(-2 * time.Hour)}},
				Ended: []surgical.Run{delivered(time.Minute, func(*surgical.Run) {})},
			},
			"was missing. A delivery has arrived since, at|It is checked again within a minute", "not been checked",
		},
		"a webhook that works": {
			surgical.Why{Head: copied, Project: surgical.Project{Hook: surgical.HookCheck{State: surgical.HookWorking, CheckedAt: at}}}, "is shown", "webhook was",
		},
		"a project that is complete but for this entity": {
			surgical.Why{Head: copied, Project: surgical.Project{CompleteAsOf: at, CompleteExcept: []surgical.Target{ref.Target, {Type: surgical.MergeRequest, IID: 3}}}},
			"is in the copy, as far as GitLab's lists show, except for what could not be fetched: #7, !3.|a change of this entity that could not be fetched", "?",
		},
		"a project that is complete but for another": {
			surgical.Why{Head: copied, Project: surgical.Project{CompleteAsOf: at, CompleteExcept: []surgical.Target{{Type: surgical.MergeRequest, IID: 7}}}},
			"except for what could not be fetched: !7.", "this entity",
		},
		"a project that is complete": {
			surgical.Why{Head: copied, Project: surgical.Project{CompleteAsOf: at, UnseenSince: at, Hook: surgical.HookCheck{State: surgical.HookDisabled, Reason: "it failed"}, LastReconcile: surgical.Reconciled{Missed: 4}}},
			"Every change in the project before 2026-11-29 12:00:00Z is in the copy|has refused to show the project|webhook was disabled: it failed|found 4 changes", "may be missing",
		},
		"one of each": {
			surgical.Why{Head: copied, Project: surgical.Project{Unreadable: surgical.Unreadable{Records: 1, At: at}, LastReconcile: surgical.Reconciled{Missed: 1}}},
			"had 1 record that names no issue or merge request|found 1 change in the project", "1 changes",
		},
	} {
		c.why.Ref, c.why.At, c.why.Confidential = ref, at, surgical.Include
		sentences := c.why.Sentences()
		text := strings.Join(sentences, " ")
		for want := range strings.SplitSeq(c.says, "|") {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, strings.Join(sentences, "\n"))
			}
		}
		if strings.Contains(text, c.not) {
			t.Errorf("%s: %q in\n%s", name, c.not, strings.Join(sentences, "\n"))
		}
		if slices.ContainsFunc(sentences, func(s string) bool { return !strings.HasSuffix(s, ".") }) {
			t.Errorf("%s: a sentence does not end:\n%s", name, strings.Join(sentences, "\n"))
		}
	}
}

func TestWhy_TellsNothingOfWhatIsExcluded(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	ref := surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: 7}}
	project := surgical.Project{ID: 1, CompleteAsOf: at}
	never := surgical.Why{Ref: ref, At: at, Project: project}
	known := never
	known.Head = surgical.Head{Ref: ref, Revision: 3, FetchedAt: at, HiddenSince: at, Attributes: surgical.Attributes{Title: "secret", Confidential: true}}
	known.Open = []surgical.Run{{Request: surgical.Request{RunID: "w1"}}}
	known.Ended, known.FollowUp, known.Behind = known.Open, &surgical.FollowUp{}, &surgical.Behind{}
	if diff := cmp.Diff(never, known.Excluded()); diff != "" {
		t.Errorf("what is told (-of an unknown issue +of an excluded one):\n%s", diff)
	}
	const both = "either none is stored, or the issue is confidential"
	if s := never.Sentences(); !strings.Contains(s[0], both) {
		t.Error(s)
	}
	never.Ref.Type = surgical.MergeRequest
	if s := never.Sentences(); strings.Contains(s[0], both) {
		t.Errorf("a merge request cannot be confidential: %s", s)
	}
}
