package advice

import (
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The commands that take no argument.
const (
	RunsCommand      = "lore runs list"
	FailedCommand    = "lore runs list --status failed"
	ProjectsCommand  = "lore projects list"
	BackfillsCommand = "lore backfill --list"
	ExportCommand    = "lore export"
	IndexCommand     = "lore index status"
	DoctorCommand    = "lore doctor"
	ErrorsCommand    = "lore logs --level error --since 1h"
)

// Show returns the command that shows a copy.
func Show(ref surgical.EntityRef) string {
	return "lore show " + entityFlags(ref.ProjectID, ref.Target)
}

// Why returns the command that explains the state of a copy.
func Why(ref surgical.EntityRef) string { return "lore why '" + Reference(ref) + "'" }

// Reference names an entity as commands take it: 1#7, or 1!3.
func Reference(ref surgical.EntityRef) string {
	mark := "#"
	if ref.Type == surgical.MergeRequest {
		mark = "!"
	}
	return fmt.Sprintf("%d%s%d", ref.ProjectID, mark, ref.IID)
}

// Sync returns the command that fetches an entity.
func Sync(ref surgical.EntityRef) string {
	return "lore sync " + entityFlags(ref.ProjectID, ref.Target) + " --wait"
}

// Try returns the command that fetches from GitLab and writes nothing.
func Try(projectID int64, targets ...surgical.Target) string {
	return "lore sync " + entityFlags(projectID, targets...) + " --preflight-only --wait"
}

// Drain returns the command that makes what failed runs of a project left undone.
func Drain(projectID int64) string { return fmt.Sprintf("lore drain -p %d", projectID) }

// Logs returns the command that prints what the functions logged about a run.
func Logs(runID string) string { return "lore logs --since 24h --run " + runID }

// Watch returns the command that follows a run.
func Watch(runID string) string { return "lore runs watch " + runID }

// Retry returns the command that retries what failed in a run.
func Retry(runID string) string { return "lore runs retry " + runID + " --wait" }

// Cancel returns the command that cancels a run.
func Cancel(runID string) string { return "lore runs cancel " + runID }

// entityFlags returns the lore flags for targets: "-p 1 --issue 7 --mr 12".
func entityFlags(projectID int64, targets ...surgical.Target) string {
	flags := []string{fmt.Sprintf("-p %d", projectID)}
	for _, t := range targets {
		flag := "--issue"
		if t.Type == surgical.MergeRequest {
			flag = "--mr"
		}
		flags = append(flags, fmt.Sprintf("%s %d", flag, t.IID))
	}
	return strings.Join(flags, " ")
}
