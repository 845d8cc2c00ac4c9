package api

import (
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// RunSummary is a run as shown in lists.
type RunSummary struct {
	RunID         string             `json:"run_id" example:"mdx3fz6o2q4c7yq3wq6p7b2kxye" doc:"The run's id."`
	ProjectID     int64              `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Origin        surgical.Origin    `json:"origin" enum:"webhook,manual,retry,reconcile,backfill,census,drain,follow_up,hide" doc:"Who requested the run."`
	Status        surgical.RunStatus `json:"status" enum:"queued,running,succeeded,failed,cancelled" doc:"The run's status; the last three are final."`
	Stage         surgical.Stage     `json:"stage,omitempty" enum:"preflight,ingest,docs,embed,done" doc:"What the run is doing, or was when it ended; absent while it is queued."`
	Targets       []TargetView       `json:"targets" nullable:"false" doc:"The run's target entities."`
	Options       OptionsView        `json:"options" doc:"The requested options."`
	CreatedAt     time.Time          `json:"created_at" doc:"When the run was requested; for a webhook's run, when a worker first claimed it."`
	StartedAt     time.Time          `json:"started_at,omitzero" doc:"When a worker first claimed the run."`
	FinishedAt    time.Time          `json:"finished_at,omitzero" doc:"When the run ended."`
	Attempts      int64              `json:"attempts" doc:"Number of attempts (fetch, stage and commit) so far."`
	NotBefore     time.Time          `json:"not_before,omitzero" doc:"Of a follow-up: the earliest time at which it fetched."`
	BehindEvent   bool               `json:"behind_event,omitempty" doc:"The fetch contradicted what was known of an entity, for example the date of the event or a comment that was there before, so the copy may not show the event yet. Follow-ups fetch it again, within about seven minutes of the event."`
	CoalescedWith string             `json:"coalesced_with,omitempty" doc:"The run whose fetch already covered this one's event."`
	RetryOf       string             `json:"retry_of,omitempty" doc:"The run that this one retries."`
	RetriedBy     string             `json:"retried_by,omitempty" doc:"The run that retries this one."`
	ErrorCode     surgical.Code      `json:"error_code,omitempty" example:"surgical_preflight_failed" doc:"Why the run failed; for a running one, why it is waiting."`
}

// SyncResult is a run with everything known about it.
type SyncResult struct {
	RunSummary
	TimingsMS TimingsView  `json:"timings_ms" doc:"How long the stages took, in milliseconds."`
	Times     TimesView    `json:"times" doc:"When the run reached what it did. A time that it has not reached is absent."`
	Counters  CountersView `json:"counters" doc:"What the run did."`

	DocumentsRegenerated int64    `json:"documents_regenerated" doc:"Documents whose embeddings were not current after this run wrote them."`
	SkippedStale         int      `json:"skipped_stale" doc:"Targets whose stored copy was newer and covers the request."`
	SkippedStaleIIDs     IIDsView `json:"skipped_stale_iids" doc:"Those targets."`
	FailedIIDs           IIDsView `json:"failed_iids" doc:"Targets that failed, including those that were not attempted and those whose documents or embeddings were left undone."`
	NotAttemptedIIDs     IIDsView `json:"not_attempted_iids" doc:"Those of the failed ones that did not fail themselves: only the failure of another target kept them from being stored."`

	Entities []EntityRowView `json:"entities" nullable:"false" doc:"The outcome of each target; empty until the run has committed or ended."`
	Jobs     JobsView        `json:"jobs" doc:"Number of jobs by stage and status."`
	Error    *ErrorView      `json:"error,omitempty" doc:"Why the run failed; for a running one, why it is waiting."`
}

// TargetView names one entity within a project.
type TargetView struct {
	Type surgical.EntityType `json:"type" enum:"issue,merge_request" doc:"Which kind of entity."`
	IID  int64               `json:"iid" minimum:"1" example:"7" doc:"The entity's number within its project."`
}

// OptionsView are the options that restrict what a run does.
type OptionsView struct {
	PreflightOnly bool `json:"preflight_only" doc:"Fetch and report; write no content."`
	DryRun        bool `json:"dry_run" doc:"Return only the plan."`
	NoDocs        bool `json:"no_docs" doc:"Leave documents and embeddings to a later drain."`
	NoEmbed       bool `json:"no_embed" doc:"Leave embeddings to a later drain."`
}

// TimingsView is how long the stages took, in milliseconds. A stage that did not
// run, or has not ended, is absent.
type TimingsView struct {
	Preflight *int64 `json:"preflight,omitempty" doc:"The fetches of the latest attempt."`
	Ingest    *int64 `json:"ingest,omitempty" doc:"The latest attempt, from its first write to its commit."`
	Docs      *int64 `json:"docs,omitempty" doc:"Rendering documents."`
	Embed     *int64 `json:"embed,omitempty" doc:"Embedding documents."`
	Total     *int64 `json:"total,omitempty" doc:"From the event, or the request, to the run's end."`
}

// TimesView is when a run began, and when its stages began and ended. Those before the
// commit are of the latest attempt.
type TimesView struct {
	Begun            time.Time `json:"begun" doc:"When its event was received, or when it was requested: durations are counted from it."`
	PreflightStarted time.Time `json:"preflight_started,omitzero" doc:"When the first fetch began."`
	IngestStarted    time.Time `json:"ingest_started,omitzero" doc:"When everything was fetched and the first write began."`
	Committed        time.Time `json:"committed,omitzero" doc:"When the copies became visible."`
	DocsStarted      time.Time `json:"docs_started,omitzero" doc:"When the first document was rendered."`
	DocsEnded        time.Time `json:"docs_ended,omitzero" doc:"When the documents were written."`
	EmbedStarted     time.Time `json:"embed_started,omitzero" doc:"When embedding began; documents of other targets may still have been written then."`
	EmbedEnded       time.Time `json:"embed_ended,omitzero" doc:"When it ended."`
}

// CountersView is summed over the attempts and stages of a run.
type CountersView struct {
	GitLabRequests       int64 `json:"gitlab_requests" doc:"Requests sent to GitLab."`
	ChildrenWritten      int64 `json:"children_written" doc:"Discussions, events and descriptions that were written."`
	ContentWriteUnits    int64 `json:"content_write_units" doc:"Write units of the content table, calculated by AWS's rules."`
	DocumentsWritten     int64 `json:"documents_written" doc:"Documents that were written or deleted."`
	DocumentsRegenerated int64 `json:"documents_regenerated" doc:"Documents whose embeddings were not current after this run wrote them."`
	ChunksEmbedded       int64 `json:"chunks_embedded" doc:"Chunks that were embedded."`
	JobsAborted          int64 `json:"jobs_aborted" doc:"Jobs that were open when the run ended without success."`
}

// IIDsView lists iids by entity type.
type IIDsView struct {
	Issues        []int64 `json:"issues" nullable:"false" doc:"Iids of issues."`
	MergeRequests []int64 `json:"merge_requests" nullable:"false" doc:"Iids of merge requests."`
}

// EntityRowView is the outcome of one target.
type EntityRowView struct {
	TargetView
	Stage     surgical.Stage        `json:"stage,omitempty" enum:"preflight,ingest,docs,embed,done" doc:"The stage that failed, or the run's stage when this was decided."`
	Status    surgical.EntityStatus `json:"status" enum:"ok,failed,skipped_stale,skipped_erased" doc:"failed in docs or embed: the copy is stored, but its documents or embeddings are not current; skipped_stale: the stored copy was newer and covers the request; skipped_erased: the entity was erased, so it was neither fetched nor stored."`
	Attempted bool                  `json:"attempted" example:"true" doc:"false: it did not fail itself, only the failure of another target kept it from being stored. Its status is failed, and its error_code aborted_by_peer."`
	Code      surgical.Code         `json:"error_code,omitempty" example:"gitlab_not_found" doc:"What stopped it; aborted_by_peer if another target did."`
	Message   string                `json:"error_message,omitempty" doc:"The same for humans."`
	Warnings  []string              `json:"warnings,omitempty" nullable:"false" doc:"Records that the target's documents show incompletely or not at all, each with the reason: GitLab's JSON has an unexpected type. The copy is complete."`
	UpdatedAt time.Time             `json:"updated_at,omitzero" doc:"When this was decided."`
	Preview   *PreviewView          `json:"preview,omitempty" doc:"What a preflight_only run found."`
}

// PreviewView is what a preflight found out about one target.
type PreviewView struct {
	UpdatedAt   time.Time `json:"updated_at" doc:"GitLab's updated_at: the version."`
	Bytes       int64     `json:"bytes" doc:"The total size of the fetched JSON."`
	Discussions int       `json:"discussions" doc:"Number of discussions."`
	Events      int       `json:"events" doc:"Number of resource events."`
}

// JobsView counts jobs by their status: pending, claimed, done, failed, aborted.
type JobsView struct {
	Docs  map[surgical.JobStatus]int `json:"docs,omitempty" doc:"Number of jobs that are pending, claimed, done, failed or aborted; a status without jobs is absent."`
	Embed map[surgical.JobStatus]int `json:"embed,omitempty" doc:"The same for embedding."`
}

// ErrorView is the error of a run.
type ErrorView struct {
	Code      surgical.Code           `json:"code" example:"surgical_preflight_failed" doc:"What happened, for machines."`
	Message   string                  `json:"message" doc:"What happened, for humans."`
	Action    surgical.Action         `json:"action" enum:"fix_request,check_token,grant_access,verify_iid,retry_after,retry_failed,contact_operator" doc:"What to do about it."`
	Retryable bool                    `json:"retryable" doc:"Whether another try can succeed."`
	After     int64                   `json:"retry_after,omitempty" doc:"For a waiting run: the seconds to wait before its next attempt."`
	RunID     string                  `json:"run_id" doc:"The run."`
	Total     int                     `json:"total,omitempty" doc:"Number of targets of the run."`
	Failures  []problem.TargetProblem `json:"failures,omitempty" nullable:"false" doc:"The targets that failed, without those that a peer aborted."`
}

func summaryOf(run surgical.Run) RunSummary {
	summary := RunSummary{
		RunID: run.RunID, ProjectID: run.ProjectID, Origin: run.Origin, Status: run.Status, Stage: run.Stage,
		Targets: targetViews(run.Targets), Options: OptionsView(run.Options),
		CreatedAt: run.CreatedAt, StartedAt: run.FirstClaimedAt, FinishedAt: run.FinishedAt, Attempts: run.Attempt,
		NotBefore: run.NotBefore, BehindEvent: run.BehindEvent, CoalescedWith: run.CoalescedWith, RetryOf: run.RetryOf, RetriedBy: run.RetriedBy,
	}
	if run.Error != nil {
		summary.ErrorCode = run.Error.Code
	}
	return summary
}

func viewOfRun(run surgical.Run, rows []surgical.EntityRow, jobs []surgical.Job) SyncResult {
	view := SyncResult{
		RunSummary: summaryOf(run), TimingsMS: timings(run), Times: timesOf(run),
		Counters: CountersView(run.Counters), DocumentsRegenerated: run.Counters.DocumentsRegenerated,
		SkippedStaleIIDs: newIIDs(), FailedIIDs: newIIDs(), NotAttemptedIIDs: newIIDs(), Entities: []EntityRowView{}, Jobs: countJobs(jobs),
	}
	byTarget := func(a, b surgical.EntityRow) int { return a.Ref.Target.Compare(b.Ref.Target) }
	for _, row := range slices.SortedFunc(slices.Values(rows), byTarget) {
		switch row.Status {
		case surgical.EntitySkippedStale:
			view.SkippedStale++
			view.SkippedStaleIIDs.add(row.Ref.Target)
		case surgical.EntityFailed:
			view.FailedIIDs.add(row.Ref.Target)
		}
		if !row.Attempted() {
			view.NotAttemptedIIDs.add(row.Ref.Target)
		}
		entity := EntityRowView{
			TargetView: TargetView(row.Ref.Target), Stage: row.Stage, Status: row.Status, Attempted: row.Attempted(), Code: row.Code, Message: row.Message, Warnings: row.Warnings, UpdatedAt: row.UpdatedAt,
		}
		if preview, ok := run.Previews[row.Ref.Target]; ok {
			found := PreviewView(preview)
			entity.Preview = &found
		}
		view.Entities = append(view.Entities, entity)
	}
	if e := run.Error; e != nil {
		view.Error = &ErrorView{e.Code, e.Message, e.Action, e.Retryable, e.Seconds(), run.RunID, e.Total, problem.Targets(e.Failures)}
	}
	return view
}

func targetViews(targets []surgical.Target) []TargetView {
	views := make([]TargetView, len(targets))
	for i, t := range targets {
		views[i] = TargetView(t)
	}
	return views
}

func newIIDs() IIDsView { return IIDsView{Issues: []int64{}, MergeRequests: []int64{}} }

func (v *IIDsView) add(t surgical.Target) {
	if t.Type == surgical.Issue {
		v.Issues = append(v.Issues, t.IID)
	} else {
		v.MergeRequests = append(v.MergeRequests, t.IID)
	}
}

func countJobs(jobs []surgical.Job) JobsView {
	var v JobsView
	for _, job := range jobs {
		counts := &v.Docs
		if job.Type == surgical.JobEmbed {
			counts = &v.Embed
		}
		if *counts == nil {
			*counts = map[surgical.JobStatus]int{}
		}
		(*counts)[job.Status]++
	}
	return v
}

func timesOf(run surgical.Run) TimesView {
	m := run.Marks
	return TimesView{
		Begun: run.BegunAt(), PreflightStarted: m.PreflightStarted, IngestStarted: m.IngestStarted, Committed: m.Committed,
		DocsStarted: m.DocsStarted, DocsEnded: m.DocsEnded, EmbedStarted: m.EmbedStarted, EmbedEnded: m.EmbedEnded,
	}
}

// timings measures the stages between the run's marks. A preflight that no
// ingest followed ended with the run. A coalesced run had none.
func timings(run surgical.Run) TimingsView {
	m := run.Marks
	fetched := m.IngestStarted
	if fetched.Before(m.PreflightStarted) {
		fetched = run.FinishedAt
	}
	t := TimingsView{
		Preflight: between(m.PreflightStarted, fetched), Ingest: between(m.IngestStarted, m.Committed),
		Docs: between(m.DocsStarted, m.DocsEnded), Embed: between(m.EmbedStarted, m.EmbedEnded),
		Total: between(run.BegunAt(), run.FinishedAt),
	}
	if run.CoalescedWith != "" {
		t.Preflight = nil
	}
	return t
}

// between is nil unless both ends are known and in order.
func between(from, to time.Time) *int64 {
	if from.IsZero() || to.Before(from) {
		return nil
	}
	ms := to.Sub(from).Milliseconds()
	return &ms
}
