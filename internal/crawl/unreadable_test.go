package crawl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// odd makes lists whose path ends with the text show records without the field, as long
// as the result is true: those for which field has the value.
func (w *world) odd(list, field string, value float64) *bool {
	odd, around := true, w.Around
	w.Around = func(ctx context.Context, call cloud.Call, send func() error) error {
		err := around(ctx, call, send)
		req, ok := call.Input.(*http.Request)
		if err != nil || !ok || !odd || !strings.HasSuffix(req.URL.Path, list) {
			return err
		}
		resp := call.Output().(*http.Response)
		var records []map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&records); err != nil {
			return err
		}
		for _, record := range records {
			if record[field] == value {
				delete(record, field)
			}
		}
		body, err := json.Marshal(records)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return err
	}
	return &odd
}

func TestBackfill_IsNotCompleteWithARecordThatItCannotRead(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.Clock.Advance(24 * time.Hour)
		odd := w.odd("/issues", "iid", 8)
		id := w.backfill()
		w.Settle()
		p := w.pass(surgical.PassBackfill)
		if p.Status != surgical.StatusFailed || surgical.CodeOf(p.Error) != surgical.CodeBackfillIncomplete || p.Counts.Unreadable != 1 || p.Counts.Done != 3 {
			t.Errorf("the backfill is %+v", p)
		}
		if project := w.project(); !project.CompleteAsOf.IsZero() || project.Unreadable.Records != 1 || project.Unreadable.At.IsZero() {
			t.Errorf("the project is %+v", project)
		}
		w.current(issue(7), issue(9), fakegitlab.MergeRequestRef(12))
		*odd = false
		resume := func(p surgical.Pass) (surgical.Pass, bool) { return p.Resume(w.Clock.Now()) }
		if _, err := w.Ledger.ChangePass(t.Context(), fakegitlab.ProjectID, id, resume); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		w.current(issue(8))
		if p := w.pass(surgical.PassBackfill); p.Status != surgical.StatusSucceeded || p.Counts.Unreadable != 0 {
			t.Errorf("retried, the backfill is %+v", p)
		}
		if project := w.project(); project.CompleteAsOf.IsZero() || project.Unreadable.Records != 0 {
			t.Errorf("retried, the project is %+v", project)
		}
	})
}

// The lists of later cycles no longer show the record.
func TestReconcile_IsNotCompleteAfterARecordThatItCouldNotRead(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.backfill()
		w.Settle()
		w.Clock.Advance(time.Hour)
		w.cycle()
		changed := w.Clock.Now()
		if p := w.project(); p.CompleteAsOf.IsZero() || !p.CompleteAsOf.Before(changed) {
			t.Fatalf("before it changes, the project is %+v", p)
		}
		odd := w.odd("/issues", "iid", 8)
		w.GitLab.AddDiscussion(issue(8), fakegitlab.Note{Body: "Nobody announces this."})
		w.cycle()
		w.Clock.Advance(2 * surgical.ReconcileOverlap)
		w.GitLab.AddDiscussion(issue(9), fakegitlab.Note{Body: "Later lists begin near this one."})
		for range 6 {
			w.cycle()
		}
		if p := w.project(); p.CompleteAsOf.After(changed) || p.Unreadable.Records == 0 {
			t.Errorf("issue 8 changed at %s, the project is %+v", changed, p)
		}
		*odd = false
		w.backfill()
		w.Settle()
		w.cycle()
		w.current(issue(8))
		if p := w.project(); !p.CompleteAsOf.After(changed) || p.Unreadable.Records != 0 {
			t.Errorf("after a backfill, the project is %+v", p)
		}
	})
}

func TestBackfillRequest_FailsWithARecordThatNamesNoProject(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Unobserved = true
		w.GitLab.AddProject(2, "demo/two")
		odd := w.odd("/projects", "id", 2)
		r := w.requested(surgical.BackfillScope{Group: "demo"})
		if r.Status != surgical.StatusFailed || surgical.CodeOf(r.Error) != surgical.CodeBackfillIncomplete || r.Unreadable != 1 || r.Projects != 1 {
			t.Errorf("%+v", r)
		}
		if one := w.pass(surgical.PassBackfill); one.Status != surgical.StatusSucceeded {
			t.Errorf("%+v", one)
		}
		*odd = false
		resumed, more := r.Resume(w.Clock.Now())
		if _, err := w.Ledger.SaveBackfillRequest(t.Context(), resumed); err != nil || !more {
			t.Fatal(more, err)
		}
		for range 4 {
			w.cycle()
		}
		r, err := w.Ledger.BackfillRequest(t.Context(), r.ID)
		if err != nil || r.Status != surgical.StatusSucceeded || r.Unreadable != 0 || r.Projects != 2 {
			t.Errorf("retried: %+v, %v", r, err)
		}
	})
}
