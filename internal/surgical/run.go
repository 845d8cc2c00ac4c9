package surgical

import (
	"slices"
	"time"
)

// RunStatus is the status of a run. A terminal status never changes.
type RunStatus string

// The statuses.
const (
	StatusQueued    RunStatus = "queued"
	StatusRunning   RunStatus = "running"
	StatusSucceeded RunStatus = "succeeded"
	StatusFailed    RunStatus = "failed"
	StatusCancelled RunStatus = "cancelled"
)

// RunStatuses returns every status, in the order in which a run can reach them.
func RunStatuses() []RunStatus {
	return []RunStatus{StatusQueued, StatusRunning, StatusSucceeded, StatusFailed, StatusCancelled}
}

// Terminal reports whether the status is final.
func (s RunStatus) Terminal() bool {
	return s == StatusSucceeded || s == StatusFailed || s == StatusCancelled
}

// Stage is what a running run is doing.
type Stage string

// The stages.
const (
	StagePreflight Stage = "preflight"
	StageIngest    Stage = "ingest"
	StageDocs      Stage = "docs"
	StageEmbed     Stage = "embed"
	StageDone      Stage = "done"
)

// EntityStatus is the outcome of one target of a run.
type EntityStatus string

// The entity statuses.
const (
	EntityOK           EntityStatus = "ok"
	EntityFailed       EntityStatus = "failed"
	EntitySkippedStale EntityStatus = "skipped_stale"
	// EntitySkippedErased: an operator erased the entity, so nothing of it was fetched
	// or stored.
	EntitySkippedErased EntityStatus = "skipped_erased"
)

// Run is a row of sync_runs.
type Run struct {
	Request
	Status RunStatus
	Stage  Stage
	// CreatedAt is when the row was created, FirstClaimedAt when a worker first
	// claimed the run, FinishedAt when it became terminal.
	CreatedAt, FirstClaimedAt, FinishedAt time.Time
	// Attempt counts the passes of fetch, stage and commit; the newest one
	// holds the lease until LeaseUntil (zero: given back).
	Attempt    int64
	LeaseUntil time.Time
	// LostLeases counts leases that expired, FailedAttempts attempts that ended
	// in order with a transient failure, NotFound answers of 404.
	LostLeases, FailedAttempts, NotFound int64
	// Unfinished counts those of the failed attempts that had the whole time of a
	// worker, and too little of it for what they had to fetch or write.
	Unfinished int64
	// DoubtedSince is since when lists lack records of the copy and may not be
	// complete.
	DoubtedSince Doubts
	// Crowded is set once an attempt failed only because other runs of its worker
	// left it too little room or time. From then on the run is processed in isolation.
	Crowded bool
	// MessageIDs are the SQS messages that were seen to ask for this run.
	MessageIDs []string
	// CommittedBy is the attempt whose commit became visible, 0 if none did.
	CommittedBy int64
	// Outcomes are the targets' outcomes as the commit wrote them.
	Outcomes map[Target]Outcome
	// Found is what a census's run found to differ from the copy that it replaced. It
	// has one target; any other run has none.
	Found []Finding
	// Previews are what a preflight_only run found, by target.
	Previews map[Target]Preview
	// JobsInserted counts every job ever inserted for the run.
	JobsInserted int64
	// Generation numbers the workflow's executions; 0: none was started.
	Generation          int64
	GenerationStartedAt time.Time
	// ResumeAt is when the sweeper starts the next generation of a run whose stage
	// could not end; zero unless it waits for that.
	ResumeAt time.Time
	// FailedStages counts the executions that ended before the run's jobs were
	// done, LostStages those among them whose function died without an answer.
	FailedStages, LostStages int64
	// CoalescedWith is the run whose fetch covered this one's event.
	CoalescedWith string
	// BehindEvent is set if the run's fetch contradicted what was known of the
	// entity: it may not show its event.
	BehindEvent bool
	// RetriedBy is the run that retries this one.
	RetriedBy string
	// Error is why the run failed or, while it is running, why it is waiting.
	Error *Error
	// Marks are the times at which the stages began and ended.
	Marks Marks
	// Counters count what the run did.
	Counters Counters
	// SweepPending is set while staged children of this run may be orphans.
	SweepPending bool
}

// Committed reports whether an attempt of the run became visible.
func (r Run) Committed() bool { return r.CommittedBy != 0 }

// BegunAt returns when the run's event was received, or when its row was created if
// that is not known, or came first. Durations of runs are counted from it.
func (r Run) BegunAt() time.Time {
	if r.EventAt.IsZero() || r.EventAt.After(r.CreatedAt) {
		return r.CreatedAt
	}
	return r.EventAt
}

// OnlyMissing reports whether the run failed only because GitLab does not show its
// entities: they were deleted, or moved out of the token's sight.
func (r Run) OnlyMissing() bool {
	if r.Status != StatusFailed || r.Error == nil || len(r.Error.Failures) == 0 {
		return false
	}
	for _, f := range r.Error.Failures {
		if f.Code != CodeGitLabNotFound {
			return false
		}
	}
	return true
}

// Postponed reports whether the run's execution of this generation ended too early,
// and the next one has not been started.
func (r Run) Postponed(generation int64) bool {
	return r.Status == StatusRunning && r.Generation == generation && !r.ResumeAt.IsZero()
}

// AttemptID names the run's newest attempt.
func (r Run) AttemptID() AttemptID { return AttemptID{RunID: r.RunID, Number: r.Attempt} }

// Outcome is what the commit decided for one target.
type Outcome struct {
	Status EntityStatus `json:"status"`
	// Revision is the head's after the commit; for a skipped target the one
	// that it was skipped for.
	Revision int64 `json:"revision"`
	// Changed reports whether anything but volatile fields differed.
	Changed bool `json:"changed"`
}

// Preview is what a preflight found out about one target, for a run that writes
// no content.
type Preview struct {
	// UpdatedAt is GitLab's: the version.
	UpdatedAt time.Time
	// Bytes is the size of everything that was fetched.
	Bytes       int64
	Discussions int
	Events      int
}

// PreviewOf describes a snapshot.
func PreviewOf(s Snapshot) Preview {
	preview := Preview{UpdatedAt: s.UpdatedAt, Bytes: int64(len(s.Entity))}
	for _, child := range s.Children {
		preview.Bytes += int64(len(child.Raw))
		if child.Kind == KindDiscussion {
			preview.Discussions++
		} else {
			preview.Events++
		}
	}
	return preview
}

// Marks are points in time of a run; zero while not reached.
type Marks struct {
	PreflightStarted, IngestStarted, Committed time.Time
	DocsStarted, DocsEnded                     time.Time
	EmbedStarted, EmbedEnded                   time.Time
}

// Counters are summed over a run's attempts and stages.
type Counters struct {
	GitLabRequests       int64 `json:"gitlab_requests,omitempty"`
	ChildrenWritten      int64 `json:"children_written,omitempty"`
	ContentWriteUnits    int64 `json:"content_write_units,omitempty"`
	DocumentsWritten     int64 `json:"documents_written,omitempty"`
	DocumentsRegenerated int64 `json:"documents_regenerated,omitempty"`
	ChunksEmbedded       int64 `json:"chunks_embedded,omitempty"`
	JobsAborted          int64 `json:"jobs_aborted,omitempty"`
}

// EntityRow is a row of sync_run_entities.
type EntityRow struct {
	RunID   string
	Ref     EntityRef
	Stage   Stage
	Status  EntityStatus
	Code    Code
	Message string
	// Warnings are those of the target's docs job.
	Warnings  []string
	UpdatedAt time.Time
}

// Attempted reports false for a target that did not fail itself: only the failure of
// another one of its run kept it from being stored.
func (r EntityRow) Attempted() bool { return r.Code != CodeAbortedByPeer }

// JobType is the stage that a job is for.
type JobType string

// The job types.
const (
	JobDocs  JobType = "docs"
	JobEmbed JobType = "embed"
)

// JobStatus is the status of a job.
type JobStatus string

// The job statuses.
const (
	JobPending JobStatus = "pending"
	JobClaimed JobStatus = "claimed"
	JobDone    JobStatus = "done"
	JobFailed  JobStatus = "failed"
	JobAborted JobStatus = "aborted"
)

// Scope names the documents that a dirty source or a job is about.
type Scope struct {
	// All stands for every document of the entity, and for those that are to
	// go; Children is empty then.
	All bool
	// Children are keys as [Child.Key] gives them.
	Children []string
	// Hide asks to remove the bytes of documents and embeddings older than the
	// head's documents_visible_from.
	Hide bool
}

// Job is a row of dependent_queue: one target's work in one stage of a run.
type Job struct {
	RunID string
	ID    string
	Type  JobType
	Ref   EntityRef
	Scope Scope
	// DirtyID is the dirty source that the job settles.
	DirtyID       string
	Status        JobStatus
	AbortedReason string
	// Attempts counts claims; the newest holds the lease until LeaseUntil.
	Attempts   int64
	LeaseUntil time.Time
	// Cursor is the last document that an earlier generation finished.
	Cursor string
	// Regenerated are ids of documents whose embeddings are not current; of a
	// docs job so far, of an embed job the work. RegeneratedAll stands for too
	// many to name.
	Regenerated      []string
	RegeneratedAll   bool
	RegeneratedCount int64
	DocumentsWritten int64
	ChunksEmbedded   int64
	// Unclean reports that segments of documents may have been written in vain.
	Unclean bool
	// Generation is the generation of the workflow that claimed the job last.
	Generation int64
	// Error is why the job failed, or why its last try did.
	Error *Error
	// Warnings name the records that documents show incompletely or not at all,
	// because GitLab's JSON of them has an unexpected type; see [Job.Warn].
	Warnings []string
}

// maxWarnings bounds a job's warnings, so that its row stays small.
const maxWarnings = 20

// Warn adds warnings that the job does not have yet. The last of too many says
// that there are more.
func (j *Job) Warn(warnings ...string) {
	const more = "more records are shown incompletely or not at all"
	for _, warning := range warnings {
		switch {
		case slices.Contains(j.Warnings, warning) || len(j.Warnings) > maxWarnings:
		case len(j.Warnings) == maxWarnings:
			j.Warnings = append(j.Warnings, more)
		default:
			j.Warnings = append(j.Warnings, warning)
		}
	}
}

// Open reports whether the job is still to be done.
func (j Job) Open() bool { return j.Status == JobPending || j.Status == JobClaimed }

// Claim is what taking a run records.
type Claim struct {
	// Request is used for a row that does not exist yet.
	Request Request
	// MessageID is the queue's id of the message that asks for the run.
	MessageID string
	Lease     time.Duration
}
