package console

import (
	"cmp"
	"context"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// runsView is one page of a list of runs.
type runsView struct {
	Summary string
	Rows    []runRow
	// First links to the first page, unless this is it, and Next to the next page,
	// if there is one.
	First, Next *link
	// Cut means that the page is not full although there may be more matches,
	// because they are rare.
	Cut bool

	// The form's fields.
	Apply, Clear link
	Filtered     bool
	Project      string
	Status       []choice
}

// choice is one option of a form field.
type choice struct {
	Value, Text string
	Chosen      bool
}

func (r reader) runs(ctx context.Context, f frame, q Query) (*runsView, error) {
	limit := cmp.Or(q.Limit, listLimit)
	filter := ledger.RunFilter{ProjectID: q.ProjectID, Made: f.made}
	if q.Status != "" {
		filter.Statuses = []surgical.RunStatus{q.Status}
	}
	runs, next, err := r.ledger.List(ctx, filter, q.From, limit)
	if err != nil {
		return nil, err
	}
	v := f.runsForm(q)
	v.Rows, v.Cut = f.rows(runs, nil), !next.IsZero() && len(runs) < limit
	v.First, v.Next = f.pages(q, next)
	return v, nil
}

// runsForm is a list of runs without its rows.
func (f frame) runsForm(q Query) *runsView {
	v := &runsView{
		Summary: f.summary(q),
		Apply:   f.filter("Filter"), Clear: f.to("Clear", Query{View: ViewRuns}),
		Filtered: q.ProjectID != 0 || q.Status != "" || q.Period != "",
		Status:   []choice{{"", "any", q.Status == ""}},
	}
	if q.ProjectID != 0 {
		v.Project = fmt.Sprint(q.ProjectID)
	}
	for _, status := range surgical.RunStatuses() {
		v.Status = append(v.Status, choice{string(status), string(status), status == q.Status})
	}
	return v
}

// pages returns the links from one page of a list to the first and the next.
func (f frame) pages(q Query, next ledger.RunPlace) (first, following *link) {
	if !q.From.IsZero() {
		begin := q
		begin.From = ledger.RunPlace{}
		l := f.to("Newest runs", begin)
		first = &l
	}
	if !next.IsZero() {
		q.From = next
		l := f.to("Older runs", q)
		following = &l
	}
	return first, following
}

// summary describes which runs the list shows.
func (f frame) summary(q Query) string {
	text := "All runs"
	if q.Status != "" {
		text = map[surgical.RunStatus]string{
			surgical.StatusQueued: "Queued runs", surgical.StatusRunning: "Running runs", surgical.StatusSucceeded: "Succeeded runs",
			surgical.StatusFailed: "Failed runs", surgical.StatusCancelled: "Cancelled runs",
		}[q.Status]
	}
	if q.ProjectID != 0 {
		text += fmt.Sprintf(" of project %d", q.ProjectID)
	}
	if f.period != periodNamed("any").phrase() {
		text += ", created " + f.period
	}
	return text + ", newest first"
}
