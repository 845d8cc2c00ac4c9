package ledger

import (
	"cmp"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// runItem is a row of sync_runs as stored in the table. Times are Unix
// microseconds; absent attributes are zero.
type runItem struct {
	RunID          string      `dynamodbav:"run_id"`
	ProjectID      int64       `dynamodbav:"project_id"`
	Origin         string      `dynamodbav:"origin"`
	Targets        []string    `dynamodbav:"targets"`
	Options        optionsItem `dynamodbav:"options"`
	EventAt        int64       `dynamodbav:"event_at"`
	IdempotencyKey string      `dynamodbav:"idempotency_key,omitempty"`
	RetryOf        string      `dynamodbav:"retry_of,omitempty"`
	Evidence       *evidence   `dynamodbav:"evidence,omitempty"`
	NotBefore      int64       `dynamodbav:"not_before,omitempty"`
	Confirms       bool        `dynamodbav:"confirms,omitempty"`
	TraceParent    string      `dynamodbav:"traceparent,omitempty"`

	Status         string `dynamodbav:"status"`
	Stage          string `dynamodbav:"stage,omitempty"`
	CreatedAt      int64  `dynamodbav:"created_at"`
	FirstClaimedAt int64  `dynamodbav:"first_claimed_at,omitempty"`
	FinishedAt     int64  `dynamodbav:"finished_at,omitempty"`

	Attempt        int64    `dynamodbav:"attempt,omitempty"`
	LeaseUntil     int64    `dynamodbav:"lease_until,omitempty"`
	LostLeases     int64    `dynamodbav:"lost_leases,omitempty"`
	FailedAttempts int64    `dynamodbav:"failed_attempts,omitempty"`
	NotFound       int64    `dynamodbav:"not_found,omitempty"`
	Unfinished     int64    `dynamodbav:"unfinished,omitempty"`
	Crowded        bool     `dynamodbav:"crowded,omitempty"`
	MessageIDs     []string `dynamodbav:"message_ids,stringset,omitempty"`

	DoubtedSince map[string]doubtedItem `dynamodbav:"doubted_since,omitempty"`

	CommittedBy   int64                  `dynamodbav:"committed_by,omitempty"`
	Outcomes      map[string]outcomeItem `dynamodbav:"outcomes,omitempty"`
	Found         []surgical.Finding     `dynamodbav:"found,omitempty"`
	Previews      map[string]previewItem `dynamodbav:"previews,omitempty"`
	JobsInserted  int64                  `dynamodbav:"jobs_inserted"`
	Generation    int64                  `dynamodbav:"generation,omitempty"`
	GenerationAt  int64                  `dynamodbav:"generation_started_at,omitempty"`
	ResumeAt      int64                  `dynamodbav:"resume_at,omitempty"`
	FailedStages  int64                  `dynamodbav:"failed_stages,omitempty"`
	LostStages    int64                  `dynamodbav:"lost_stages,omitempty"`
	CoalescedWith string                 `dynamodbav:"coalesced_with,omitempty"`
	BehindEvent   bool                   `dynamodbav:"behind_event,omitempty"`
	RetriedBy     string                 `dynamodbav:"retried_by,omitempty"`
	Error         *errorItem             `dynamodbav:"error,omitempty"`

	PreflightStarted int64 `dynamodbav:"preflight_started_at,omitempty"`
	IngestStarted    int64 `dynamodbav:"ingest_started_at,omitempty"`
	Committed        int64 `dynamodbav:"committed_at,omitempty"`
	DocsStarted      int64 `dynamodbav:"docs_started_at,omitempty"`
	DocsEnded        int64 `dynamodbav:"docs_ended_at,omitempty"`
	EmbedStarted     int64 `dynamodbav:"embed_started_at,omitempty"`
	EmbedEnded       int64 `dynamodbav:"embed_ended_at,omitempty"`

	Counters countersItem `dynamodbav:"counters"`

	ResentAt int64 `dynamodbav:"resent_at,omitempty"`

	Sweep      string `dynamodbav:"sweep,omitempty"`
	SweepAfter int64  `dynamodbav:"sweep_after,omitempty"`
	ExpiresAt  int64  `dynamodbav:"expires_at,omitempty"`

	WriteToken string `dynamodbav:"write_token,omitempty"`
}

// sweepPending is the one value of the sweep attribute: the index of runs to
// sweep holds only rows that have it.
const sweepPending = "pending"

type optionsItem struct {
	PreflightOnly bool `dynamodbav:"preflight_only,omitempty"`
	DryRun        bool `dynamodbav:"dry_run,omitempty"`
	NoDocs        bool `dynamodbav:"no_docs,omitempty"`
	NoEmbed       bool `dynamodbav:"no_embed,omitempty"`
}

type outcomeItem struct {
	Status   string `dynamodbav:"status"`
	Revision int64  `dynamodbav:"revision"`
	Changed  bool   `dynamodbav:"changed,omitempty"`
}

func (o outcomeItem) outcome() surgical.Outcome {
	return surgical.Outcome{Status: surgical.EntityStatus(o.Status), Revision: o.Revision, Changed: o.Changed}
}

type previewItem struct {
	UpdatedAt   int64 `dynamodbav:"updated_at"`
	Bytes       int64 `dynamodbav:"bytes"`
	Discussions int   `dynamodbav:"discussions"`
	Events      int   `dynamodbav:"events"`
}

func (p previewItem) preview() surgical.Preview {
	return surgical.Preview{UpdatedAt: dynamo.FromMicros(p.UpdatedAt), Bytes: p.Bytes, Discussions: p.Discussions, Events: p.Events}
}

func itemsOfPreviews(previews map[surgical.Target]surgical.Preview) map[string]previewItem {
	items := make(map[string]previewItem, len(previews))
	for target, p := range previews {
		items[target.String()] = previewItem{dynamo.Micros(p.UpdatedAt), p.Bytes, p.Discussions, p.Events}
	}
	return items
}

type countersItem struct {
	GitLabRequests       int64 `dynamodbav:"gitlab_requests,omitempty"`
	ChildrenWritten      int64 `dynamodbav:"children_written,omitempty"`
	ContentWriteUnits    int64 `dynamodbav:"content_write_units,omitempty"`
	DocumentsWritten     int64 `dynamodbav:"documents_written,omitempty"`
	DocumentsRegenerated int64 `dynamodbav:"documents_regenerated,omitempty"`
	ChunksEmbedded       int64 `dynamodbav:"chunks_embedded,omitempty"`
	JobsAborted          int64 `dynamodbav:"jobs_aborted,omitempty"`
}

// doubtedItem is since when the lists of one target are doubted, by kind.
type doubtedItem map[string]int64

// UnmarshalDynamoDBAttributeValue implements [attributevalue.Unmarshaler]. Earlier
// versions stored one time for whichever list it was.
func (d *doubtedItem) UnmarshalDynamoDBAttributeValue(value types.AttributeValue) error {
	if _, ofAll := value.(*types.AttributeValueMemberN); !ofAll {
		return attributevalue.Unmarshal(value, (*map[string]int64)(d))
	}
	var since int64
	if err := attributevalue.Unmarshal(value, &since); err != nil {
		return err
	}
	*d = doubtedItem{}
	for _, kind := range surgical.ListKinds() {
		(*d)[string(kind)] = since
	}
	return nil
}

func itemOfDoubts(doubts surgical.Doubts) map[string]doubtedItem {
	items := make(map[string]doubtedItem, len(doubts))
	for target, kinds := range doubts {
		item := make(doubtedItem, len(kinds))
		for kind, since := range kinds {
			item[string(kind)] = dynamo.Micros(since)
		}
		items[target.String()] = item
	}
	return items
}

// evidence is a [surgical.Evidence] as rows hold it.
type evidence struct {
	UpdatedAt      int64 `dynamodbav:"updated_at,omitempty"`
	NoteID         int64 `dynamodbav:"note_id,omitempty"`
	NoteAt         int64 `dynamodbav:"note_at,omitempty"`
	InternalNoteID int64 `dynamodbav:"internal_note_id,omitempty"`
	InternalNoteAt int64 `dynamodbav:"internal_note_at,omitempty"`
	Confidential   bool  `dynamodbav:"confidential,omitempty"`
}

func itemOfEvidence(e surgical.Evidence) *evidence {
	if e.IsZero() {
		return nil
	}
	return &evidence{
		UpdatedAt: dynamo.Micros(e.UpdatedAt), NoteID: e.NoteID, NoteAt: dynamo.Micros(e.NoteAt),
		InternalNoteID: e.InternalNoteID, InternalNoteAt: dynamo.Micros(e.InternalNoteAt), Confidential: e.Confidential,
	}
}

func (e *evidence) evidence() surgical.Evidence {
	if e == nil {
		return surgical.Evidence{}
	}
	return surgical.Evidence{
		UpdatedAt: dynamo.FromMicros(e.UpdatedAt), NoteID: e.NoteID, NoteAt: dynamo.FromMicros(e.NoteAt),
		InternalNoteID: e.InternalNoteID, InternalNoteAt: dynamo.FromMicros(e.InternalNoteAt), Confidential: e.Confidential,
	}
}

type errorItem struct {
	Code      string        `dynamodbav:"code"`
	Message   string        `dynamodbav:"message"`
	Action    string        `dynamodbav:"action"`
	Retryable bool          `dynamodbav:"retryable"`
	After     int64         `dynamodbav:"retry_after,omitempty"` // seconds
	Total     int           `dynamodbav:"total,omitempty"`
	Failures  []failureItem `dynamodbav:"failures,omitempty"`
}

type failureItem struct {
	Target    string `dynamodbav:"target"`
	Code      string `dynamodbav:"code"`
	Message   string `dynamodbav:"message"`
	Action    string `dynamodbav:"action"`
	Retryable bool   `dynamodbav:"retryable"`
}

func itemOfError(e *surgical.Error) *errorItem {
	if e == nil {
		return nil
	}
	item := &errorItem{
		Code: string(e.Code), Message: e.Message, Action: string(e.Action), Retryable: e.Retryable, After: e.Seconds(), Total: e.Total,
	}
	for _, f := range e.Failures {
		item.Failures = append(item.Failures, failureItem{f.Target.String(), string(f.Code), f.Message, string(f.Action), f.Retryable})
	}
	return item
}

func (e *errorItem) error(runID string) (*surgical.Error, error) {
	if e == nil {
		return nil, nil
	}
	out := &surgical.Error{
		Code: surgical.Code(e.Code), Message: e.Message, Action: surgical.Action(e.Action), Retryable: e.Retryable,
		RetryAfter: time.Duration(e.After) * time.Second, RunID: runID, Total: e.Total,
	}
	for _, f := range e.Failures {
		target, err := surgical.ParseTarget(f.Target)
		if err != nil {
			return nil, err
		}
		out.Failures = append(out.Failures, surgical.TargetFailure{
			Target: target, Code: surgical.Code(f.Code), Message: f.Message, Action: surgical.Action(f.Action), Retryable: f.Retryable,
		})
	}
	return out, nil
}

// newRunItem returns the row of a run that has no row yet.
func newRunItem(req surgical.Request, status surgical.RunStatus, createdAt int64) runItem {
	item := runItem{
		RunID: req.RunID, ProjectID: req.ProjectID, Origin: string(req.Origin), Options: optionsItem(req.Options),
		EventAt: dynamo.Micros(req.EventAt), IdempotencyKey: req.IdempotencyKey, RetryOf: req.RetryOf, TraceParent: req.TraceParent,
		Evidence: itemOfEvidence(req.Evidence), NotBefore: dynamo.Micros(req.NotBefore), Confirms: req.Confirms,
		Status: string(status), CreatedAt: createdAt,
	}
	for _, t := range req.Targets {
		item.Targets = append(item.Targets, t.String())
	}
	return item
}

func (r runItem) marshal() (dynamo.Item, error) {
	item, err := attributevalue.MarshalMap(r)
	if err != nil {
		return nil, fmt.Errorf("encode run %s: %w", r.RunID, err)
	}
	return item, nil
}

// RunOf decodes a row of sync_runs.
func RunOf(item map[string]types.AttributeValue) (surgical.Run, error) {
	var r runItem
	if err := attributevalue.UnmarshalMap(item, &r); err != nil {
		return surgical.Run{}, fmt.Errorf("decode run: %w", err)
	}
	run, err := r.run()
	if err != nil {
		return surgical.Run{}, fmt.Errorf("decode run %s: %w", r.RunID, err)
	}
	return run, nil
}

func (r runItem) run() (surgical.Run, error) {
	run := surgical.Run{
		Request: surgical.Request{
			RunID: r.RunID, ProjectID: r.ProjectID, Origin: surgical.Origin(r.Origin), Options: surgical.Options(r.Options),
			EventAt: dynamo.FromMicros(r.EventAt), IdempotencyKey: r.IdempotencyKey, RetryOf: r.RetryOf, TraceParent: r.TraceParent,
			Evidence: r.Evidence.evidence(), NotBefore: dynamo.FromMicros(r.NotBefore), Confirms: r.Confirms,
		},
		Status: surgical.RunStatus(r.Status), Stage: surgical.Stage(r.Stage),
		CreatedAt: dynamo.FromMicros(r.CreatedAt), FirstClaimedAt: dynamo.FromMicros(r.FirstClaimedAt), FinishedAt: dynamo.FromMicros(r.FinishedAt),
		Attempt: r.Attempt, LeaseUntil: dynamo.FromMicros(r.LeaseUntil),
		LostLeases: r.LostLeases, FailedAttempts: r.FailedAttempts, NotFound: r.NotFound, Unfinished: r.Unfinished, Crowded: r.Crowded, MessageIDs: r.MessageIDs,
		CommittedBy: r.CommittedBy, JobsInserted: r.JobsInserted,
		Generation: r.Generation, GenerationStartedAt: dynamo.FromMicros(r.GenerationAt),
		ResumeAt: dynamo.FromMicros(r.ResumeAt), FailedStages: r.FailedStages, LostStages: r.LostStages,
		CoalescedWith: r.CoalescedWith, BehindEvent: r.BehindEvent, Found: r.Found, RetriedBy: r.RetriedBy,
		Marks: surgical.Marks{
			PreflightStarted: dynamo.FromMicros(r.PreflightStarted), IngestStarted: dynamo.FromMicros(r.IngestStarted), Committed: dynamo.FromMicros(r.Committed),
			DocsStarted: dynamo.FromMicros(r.DocsStarted), DocsEnded: dynamo.FromMicros(r.DocsEnded),
			EmbedStarted: dynamo.FromMicros(r.EmbedStarted), EmbedEnded: dynamo.FromMicros(r.EmbedEnded),
		},
		Counters: surgical.Counters(r.Counters), SweepPending: r.Sweep != "",
	}
	for _, s := range r.Targets {
		t, err := surgical.ParseTarget(s)
		if err != nil {
			return run, err
		}
		run.Targets = append(run.Targets, t)
	}
	var errs [4]error
	run.DoubtedSince, errs[0] = byTarget(r.DoubtedSince, doubtedItem.kinds)
	run.Outcomes, errs[1] = byTarget(r.Outcomes, outcomeItem.outcome)
	run.Previews, errs[2] = byTarget(r.Previews, previewItem.preview)
	run.Error, errs[3] = r.Error.error(r.RunID)
	return run, cmp.Or(errs[:]...)
}

func (d doubtedItem) kinds() map[surgical.ChildKind]time.Time {
	kinds := make(map[surgical.ChildKind]time.Time, len(d))
	for kind, at := range d {
		kinds[surgical.ChildKind(kind)] = dynamo.FromMicros(at)
	}
	return kinds
}

// byTarget decodes the values of a map whose keys are targets. It is nil if the map
// is.
func byTarget[Item, Value any](items map[string]Item, decode func(Item) Value) (map[surgical.Target]Value, error) {
	if items == nil {
		return nil, nil
	}
	values := make(map[surgical.Target]Value, len(items))
	for text, item := range items {
		target, err := surgical.ParseTarget(text)
		if err != nil {
			return nil, err
		}
		values[target] = decode(item)
	}
	return values, nil
}
