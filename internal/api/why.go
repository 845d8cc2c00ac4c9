package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// whyRuns is how many ended runs explain an entity's state.
const whyRuns = 10

// WhyView explains the state of one entity's copy.
type WhyView struct {
	ProjectID int64               `json:"project_id" example:"1" doc:"GitLab's id of the project."`
	Type      surgical.EntityType `json:"type" enum:"issue,merge_request" doc:"Which kind of entity."`
	IID       int64               `json:"iid" example:"7" doc:"The entity's number within its project."`
	ReadAt    time.Time           `json:"read_at" doc:"When all of this was read."`
	Sentences []string            `json:"sentences" nullable:"false" doc:"The state in English, the most important first. The wording may change; the other fields do not."`

	Shown           bool                 `json:"shown" doc:"Whether readers see the copy."`
	Hidden          surgical.Concealment `json:"hidden_because,omitempty" enum:"absent,gone,erased,hidden,project_hidden" doc:"Why they do not. absent: no copy is stored, or the issue is confidential and the stack does not show such issues. erased: it was erased by request, and is kept out. gone: GitLab no longer shows the entity to the token. hidden: a delivery called the issue confidential, and the copy is public. project_hidden: the copy was fetched before its project was hidden."`
	HiddenSince     time.Time            `json:"hidden_since,omitzero" doc:"Since when the issue counts as confidential, by a delivery that said so."`
	ErasedAt        time.Time            `json:"erased_at,omitzero" doc:"When the entity was erased; absent if it is not."`
	Copy            *CopyView            `json:"copy,omitempty" doc:"The stored copy; absent if none is stored."`
	DocumentsBehind *BehindView          `json:"documents_behind,omitempty" doc:"Set if documents or embeddings are older than the copy."`
	LastDelivery    *DeliveryView        `json:"last_delivery,omitempty" doc:"The newest delivery among the runs; absent if none of them was announced by one."`
	FollowUp        *FollowUpView        `json:"follow_up,omitempty" doc:"A fetch that is pending because an earlier one contradicted what was known."`
	Runs            []RunSummary         `json:"runs" nullable:"false" doc:"The runs that have not ended, newest first, then the last 10 that have, most recently ended first."`
	Project         ProjectView          `json:"project" doc:"What is known of the project."`
}

// CopyView is which copy is stored, without its content.
type CopyView struct {
	Revision     int64     `json:"revision" example:"3" doc:"Incremented by every commit of the entity."`
	UpdatedAt    time.Time `json:"updated_at" doc:"GitLab's updated_at."`
	FetchedAt    time.Time `json:"fetched_at" doc:"When the fetch of this copy began."`
	FetchedUntil time.Time `json:"fetched_until" doc:"When that fetch ended."`
	RunID        string    `json:"run_id" doc:"The run that committed the copy."`
	Confidential bool      `json:"confidential" doc:"Whether GitLab shows it only to members."`
}

// DeliveryView is a delivery, and whether the copy shows what it announced.
type DeliveryView struct {
	RunID    string       `json:"run_id" doc:"The run that it requested."`
	EventAt  time.Time    `json:"event_at" doc:"When it was received."`
	Evidence EvidenceView `json:"evidence" doc:"What it announced."`
	Covered  bool         `json:"covered" doc:"Whether the stored copy was fetched after it and shows what it announced."`
}

// FollowUpView is a pending follow-up.
type FollowUpView struct {
	NotBefore time.Time    `json:"not_before" doc:"When it is due."`
	ConfirmAt time.Time    `json:"confirm_at,omitzero" doc:"From when on a copy that contradicts the stored one is believed."`
	EventAt   time.Time    `json:"event_at" doc:"The newest event that it is for."`
	Evidence  EvidenceView `json:"evidence" doc:"What the fetch has to show."`
}

// EvidenceView is what deliveries announced.
type EvidenceView struct {
	UpdatedAt      time.Time `json:"updated_at,omitzero" doc:"The entity's updated_at."`
	NoteID         int64     `json:"note_id,omitempty" doc:"GitLab's id of a comment."`
	InternalNoteID int64     `json:"internal_note_id,omitempty" doc:"GitLab's id of an internal comment."`
	Confidential   bool      `json:"confidential,omitempty" doc:"Whether the issue was called confidential."`
}

func (s *server) addWhy(to *routes) {
	for _, t := range []surgical.EntityType{surgical.Issue, surgical.MergeRequest} {
		to.add(operationOf(huma.Operation{
			OperationID: "explain-" + hyphenated(t), Method: http.MethodGet, Path: "/v1/projects/{project}/" + plural(t) + "/{iid}/why", Tags: []string{hyphenated(t) + "s"},
			Summary:     "Explain the state of the copy of " + named(t),
			Description: "For operators: why the copy is shown or hidden, and whether it is current: its last delivery and runs, what is undone or pending, and how complete the project is. Answers for an entity without a copy as well. Shows no content.",
		}, notAllowed(), noProject()),
			handle(func(ctx context.Context, in *EntityPath) (*answer[WhyView], error) {
				ref, err := s.ref(ctx, t, *in)
				if err != nil {
					return nil, err
				}
				why, err := s.why(ctx, ref)
				return &answer[WhyView]{viewOfWhy(why)}, err
			}))
	}
}

// why reads the head and the project last: what was about to change the copy may have
// done so, never the reverse.
func (s *server) why(ctx context.Context, ref surgical.EntityRef) (surgical.Why, error) {
	why := surgical.Why{Ref: ref, At: s.Clock(), Confidential: s.Content.Confidential()}
	var err error
	if why.Open, err = s.openRuns(ctx, ref.ProjectID, []surgical.Target{ref.Target}); err != nil {
		return why, err
	}
	if why.Ended, _, err = s.Runs.ListOfEntity(ctx, ref, ledger.RunPlace{}, whyRuns); err != nil {
		return why, err
	}
	if why.FollowUp, err = s.Runs.FollowUp(ctx, ref); err != nil {
		return why, err
	}
	if why.Behind, err = s.Runs.Behind(ctx, ref); err != nil {
		return why, err
	}
	var hidden surgical.Concealment
	if why.Head, hidden, err = s.Content.Explained(ctx, ref); err != nil {
		return why, err
	}
	if why.Project, err = s.Projects.Project(ctx, ref.ProjectID); hidden == surgical.Excluded {
		why = why.Excluded()
	}
	return why, err
}

func viewOfWhy(why surgical.Why) WhyView {
	h := why.Head
	view := WhyView{
		ProjectID: why.Ref.ProjectID, Type: why.Ref.Type, IID: why.Ref.IID, ReadAt: why.At, Sentences: why.Sentences(),
		HiddenSince: h.HiddenSince, ErasedAt: h.ErasedAt, DocumentsBehind: newBehindView(why.Behind), Runs: []RunSummary{}, Project: viewOfProject(why.Project),
	}
	view.Shown, view.Hidden = surgical.Visible(h, surgical.Sight{HiddenAt: why.Project.HiddenAt, Confidential: why.Confidential})
	if h.HasCopy() {
		view.Copy = &CopyView{h.Revision, h.UpdatedAt, h.FetchedAt, h.FetchedUntil, h.RunID, h.Attributes.Confidential}
	}
	if run, found := why.Delivery(); found {
		view.LastDelivery = &DeliveryView{run.RunID, run.EventAt, viewOfEvidence(run.Evidence), h.HasCopy() && run.CoveredBy(h)}
	}
	if f := why.FollowUp; f != nil {
		view.FollowUp = &FollowUpView{f.NotBefore, f.ConfirmAt, f.EventAt, viewOfEvidence(f.Evidence)}
	}
	for _, run := range slices.Concat(why.Open, why.Ended) {
		view.Runs = append(view.Runs, summaryOf(run))
	}
	return view
}

func viewOfEvidence(e surgical.Evidence) EvidenceView {
	return EvidenceView{e.UpdatedAt, e.NoteID, e.InternalNoteID, e.Confidential}
}
