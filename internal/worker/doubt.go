package worker

import (
	"fmt"
	"time"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// doubt is the cause of a failure by [doubted].
type doubt struct {
	// since is what the run row keeps, see [surgical.Run.DoubtedSince].
	since map[surgical.Target]time.Time
}

func (d *doubt) Error() string { return "a list lacks records of the copy" }

// doubted fails the targets whose lists may have lost records on their way here:
// a doubtful list that lacks more records of the copy than GitLab's own count of
// comments explains. The failure is transient. The list is believed once a fetch
// of the run still returns it the confirmation time after the first one ended, so
// that records which are really gone block nothing.
func doubted(run surgical.Run, snaps []surgical.Snapshot, changes []*content.Change) error {
	since := map[surgical.Target]time.Time{}
	var failures []surgical.TargetFailure
	for i, snap := range snaps {
		missing := missingRecords(snap, changes[i])
		if missing == "" {
			continue
		}
		target := snap.Ref.Target
		first, before := run.DoubtedSince[target]
		if !before {
			first = snap.FetchedUntil
		}
		since[target] = first
		if before && !snap.FetchedAt.Before(first.Add(surgical.Confirmation)) {
			continue
		}
		e := surgical.NewError(surgical.CodeGitLabUnavailable, missing)
		failures = append(failures, surgical.TargetFailure{Target: target, Code: e.Code, Message: e.Message, Action: e.Action, Retryable: e.Retryable})
	}
	if len(failures) == 0 {
		return nil
	}
	e := surgical.WrapError(surgical.CodeGitLabUnavailable, &doubt{since}, failures[0].Message)
	e.RunID, e.Total, e.Failures = run.RunID, len(run.Targets), failures
	return e
}

// missingRecords describes the first doubtful list that lacks records of the
// copy, or returns "".
func missingRecords(snap surgical.Snapshot, change *content.Change) string {
	if change == nil { // the guard refused the snapshot
		return ""
	}
	for _, kind := range snap.Doubtful {
		fewer, explained := change.Fewer[kind], int64(0)
		if kind == surgical.KindDiscussion {
			explained = max(0, change.Base.UserNotesCount-snap.UserNotesCount())
		}
		if fewer <= 0 || int64(fewer) <= explained {
			continue
		}
		came := 0
		for _, child := range snap.Children {
			if child.Kind == kind {
				came++
			}
		}
		return fmt.Sprintf("%ss of %s: GitLab returned %d records, and the copy has %d; check for a proxy that cuts lists. The list is accepted if it stays so for %g minutes",
			kind, snap.Ref, came, came+fewer, surgical.Confirmation.Minutes())
	}
	return ""
}
