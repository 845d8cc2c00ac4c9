package webhook

import (
	"encoding/json"
	"net/http"
	"time"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// accepted is the body of a 2xx response. A queued delivery has all fields
// except Reason, an ignored one only Status and Reason.
type accepted struct {
	Status    string            `json:"status"`
	Reason    string            `json:"reason,omitempty"`
	RunID     string            `json:"run_id,omitempty"`
	ProjectID int64             `json:"project_id,omitempty"`
	Targets   []surgical.Target `json:"targets,omitempty"`
	// ResendAfter is the time from which a resend of the delivery is not ignored as
	// a duplicate, and retries the run if it failed.
	ResendAfter time.Time `json:"resend_after,omitzero"`
}

func answer(w http.ResponseWriter, d incoming, reason string, failure *problem.Problem) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case failure != nil:
		failure.Message = failure.Detail // clients may read either
		problem.Write(w, failure)
	case reason != "":
		succeed(w, http.StatusOK, accepted{Status: metrics.OutcomeIgnored, Reason: reason})
	default:
		succeed(w, http.StatusAccepted, accepted{
			Status: metrics.OutcomeQueued, RunID: d.runID, ProjectID: d.event.ProjectID, Targets: []surgical.Target{d.event.Target},
			ResendAfter: d.resendAfter.UTC().Truncate(time.Second).Add(time.Second),
		})
	}
}

func succeed(w http.ResponseWriter, status int, body accepted) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // strings and numbers always encode; a client that has disconnected needs no response
}
