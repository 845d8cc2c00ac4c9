package worker

import (
	"errors"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// doubted is a failure of an attempt that has compared its lists with the copy.
type doubted struct {
	// since replaces what the run row keeps.
	since surgical.Doubts
	cause error
}

func (d *doubted) Error() string { return d.cause.Error() }

func (d *doubted) Unwrap() error { return d.cause }

// withDoubts adds what the comparison of the lists showed to the failure of an
// attempt, or returns nil if there is none.
func withDoubts(since surgical.Doubts, err error) error {
	if err == nil || since == nil {
		return err
	}
	return &doubted{since, err}
}

// afterLook is the run with what the attempt that failed with err found out about its
// lists.
func afterLook(run surgical.Run, err error) surgical.Run {
	var d *doubted
	if errors.As(err, &d) {
		return lookedAt(run, d.since)
	}
	return run
}

// lookedAt is the run with what an attempt found out about its lists; nil stands for
// nothing.
func lookedAt(run surgical.Run, since surgical.Doubts) surgical.Run {
	if since != nil {
		run.DoubtedSince = since
	}
	return run
}

// doubts compares the doubtful lists, which may have lost records on their way here,
// with the copy and with GitLab's own count of comments, and returns those that [lacks]
// says lack records. Of a snapshot that the guard refused, nothing is known
// beyond what was before.
//
// The error is transient, and names the targets with a list that is not believed yet:
// one is once a fetch of the run still returns it the confirmation time after the first
// such fetch ended, so that records which are really gone block nothing.
func doubts(run surgical.Run, snaps []surgical.Snapshot, changes []*content.Change) (surgical.Doubts, error) {
	since := surgical.Doubts{}
	var failures []surgical.TargetFailure
	for i, snap := range snaps {
		target := snap.Ref.Target
		if changes[i] == nil {
			for kind, first := range run.DoubtedSince[target] {
				since.Add(target, kind, first)
			}
			continue
		}
		var missing []string
		for _, kind := range snap.Doubtful {
			lack := lacks(kind, snap, changes[i])
			if lack == "" {
				continue
			}
			first, before := run.DoubtedSince[target][kind]
			if !before {
				first = snap.FetchedUntil
			}
			since.Add(target, kind, first)
			if !before || snap.FetchedAt.Before(first.Add(surgical.Confirmation)) {
				missing = append(missing, lack)
			}
		}
		if len(missing) > 0 {
			e := surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf("%s; check for a proxy that cuts lists. A list is accepted if it stays so for %g minutes",
				strings.Join(missing, "; "), surgical.Confirmation.Minutes()))
			failures = append(failures, surgical.TargetFailure{Target: target, Code: e.Code, Message: e.Message, Action: e.Action, Retryable: e.Retryable})
		}
	}
	if len(failures) == 0 {
		return since, nil
	}
	e := surgical.NewError(surgical.CodeGitLabUnavailable, failures[0].Message)
	e.RunID, e.Total, e.Failures = run.RunID, len(run.Targets), failures
	return since, e
}

// explained is how many records of the copy the list may lack: comments that GitLab
// does not count any more either.
func explained(kind surgical.ChildKind, snap surgical.Snapshot, change *content.Change) int {
	if kind != surgical.KindDiscussion {
		return 0
	}
	return max(0, int(change.Base.UserNotesCount-snap.UserNotesCount()))
}

// lacks describes what a doubtful list lacks: records of the copy, or comments that
// GitLab counts, beyond those that the copy did not show either. It returns "" for a list
// that nothing speaks against.
func lacks(kind surgical.ChildKind, snap surgical.Snapshot, change *content.Change) string {
	if fewer := change.Fewer[kind]; fewer > explained(kind, snap, change) {
		came := 0
		for _, child := range snap.Children {
			if child.Kind == kind {
				came++
			}
		}
		return fmt.Sprintf("%ss of %s: GitLab returned %d records, and the copy has %d", kind, snap.Ref, came, came+fewer)
	}
	if kind == surgical.KindDiscussion && snap.UnseenComments() > change.Base.UnseenComments {
		return fmt.Sprintf("%ss of %s: GitLab counts %d comments and returned %d", kind, snap.Ref, snap.UserNotesCount(), snap.Comments)
	}
	return ""
}
