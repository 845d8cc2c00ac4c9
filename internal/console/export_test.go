package console

import "gitlab.com/lorehook/lorehook/internal/surgical"

// The commands that pages suggest.
func ShowCommand(ref surgical.EntityRef) string { return showCommand(ref) }
func SyncCommand(ref surgical.EntityRef) string { return syncCommand(ref) }
func TryCommand(projectID int64, targets ...surgical.Target) string {
	return tryCommand(projectID, targets...)
}
func FollowCommand(runID string) string { return followCommand(runID) }
func RetryCommand(runID string) string  { return retryCommand(runID) }
func CancelCommand(runID string) string { return cancelCommand(runID) }
