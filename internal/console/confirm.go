package console

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// codeForged is for a POST that no form of this console made.
const codeForged surgical.Code = "form_not_valid"

// maxForm is the size in bytes of the largest form.
const maxForm = 4 << 10

// confirmView is a question: what a button is about to do, before it does it.
type confirmView struct {
	// What says what happens, in sentences.
	What  []string
	Facts []fact
	// Conflicts are runs of the same entity that have not ended.
	Conflicts []runRow
	// Targets are what is retried.
	Targets []targetRow
	// Action is the path that the form is sent to, with Token and Key; "" if there is
	// nothing to confirm.
	Action, Token, Key, Button string
	Back                       link
	Command                    string
}

// token signs the path that a form is sent to.
func (s *site) token(action string) string {
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(action))
	return hex.EncodeToString(mac.Sum(nil))
}

// action does what a form asks for, and leads on to the page that do returns. It refuses
// what other pages send: by the headers with which browsers say where a request came
// from, and by the token, which only a page of this console can know.
func (s *site) action(do func(context.Context, visit) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		v := s.visit(r)
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := s.origin.Check(r); err != nil {
			s.fail(w, v, surgical.WrapError(codeForged, err, "the request came from another page"))
			return
		}
		if err := r.ParseForm(); err != nil {
			s.fail(w, v, surgical.WrapError(surgical.CodeInvalidRequest, err, "the form cannot be read"))
			return
		}
		if !hmac.Equal([]byte(r.PostForm.Get("token")), []byte(s.token(r.URL.Path))) {
			s.fail(w, v, surgical.NewError(codeForged, "the form is not one of this console, or of one that has ended"))
			return
		}
		next, err := do(ctx, v)
		if err != nil {
			s.fail(w, v, err)
			return
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

// plan shows what a run of the entity would do.
func (s *site) plan(ctx context.Context, v visit, t surgical.EntityType) (sheet, error) {
	ref, err := v.ref(t)
	if err != nil {
		return sheet{}, err
	}
	plan, err := s.API.Plan(ctx, syncOf(ref), "")
	if err != nil {
		return sheet{}, err
	}
	action := entityPath(ref) + "/sync"
	var stages []string
	for _, stage := range plan.Value.Stages {
		stages = append(stages, string(stage))
	}
	view := &confirmView{
		What: []string{
			fmt.Sprintf("This requests a run that fetches %s with all its comments and events from GitLab.", strings.ToLower(named(ref.Target)[:1])+named(ref.Target)[1:]),
			"If something changed, the copy is replaced at once, and its documents and embeddings follow. Nothing is written to GitLab.",
		},
		Facts:  []fact{{Name: "Stages", Value: strings.Join(stages, ", ")}},
		Action: action, Token: s.token(action), Key: s.NewKey(), Button: "Start the run",
		Back: link{Text: "Back", Href: entityPath(ref)}, Command: advice.Sync(ref),
	}
	for _, target := range plan.Value.Targets {
		stored := fact{Name: "Stored", Value: "no copy yet"}
		if l := target.Local; l != nil {
			stored.Value = fmt.Sprintf("revision %d, fetched %s", l.Revision, v.moment(l.FetchedAt).Ago)
		}
		view.Facts = append(view.Facts, stored)
	}
	for _, c := range plan.Value.Conflicts {
		view.Conflicts = append(view.Conflicts, runRow{Status: markOf(c.Status), Run: v.toRun(c.RunID)})
	}
	return sheet{Title: "Sync " + named(ref.Target) + "?", Confirm: view}, nil
}

// sync starts a run of the entity. The form's key makes it one run, however often the form
// is sent.
func (s *site) sync(ctx context.Context, v visit, t surgical.EntityType) (string, error) {
	ref, err := v.ref(t)
	if err != nil {
		return "", err
	}
	key := v.PostForm.Get("key")
	if key == "" || len(key) > 64 {
		return "", surgical.NewError(codeForged, "the form has no key")
	}
	run, err := s.API.StartRun(ctx, syncOf(ref), key)
	if err != nil {
		return "", err
	}
	return Query{View: ViewRun, RunID: run.Value.RunID}.path(), nil
}

func syncOf(ref surgical.EntityRef) apiclient.RunRequest {
	req := apiclient.RunRequest{ProjectID: ref.ProjectID}
	if ref.Type == surgical.Issue {
		req.Issues = []int64{ref.IID}
	} else {
		req.MergeRequests = []int64{ref.IID}
	}
	return req
}

// confirmRetry shows what a retry of the run would fetch.
func (s *site) confirmRetry(ctx context.Context, v visit) (sheet, error) {
	answer, err := s.API.Run(ctx, v.PathValue("run"))
	if err != nil {
		return sheet{}, err
	}
	run, rows := answer.Value.Domain(), answer.Value.Rows()
	action := Query{View: ViewRun, RunID: run.RunID}.path() + "/retry"
	view := &confirmView{Back: link{Text: "Back to the run", Href: Query{View: ViewRun, RunID: run.RunID}.path()}}
	p := sheet{Title: "Retry the run?", Confirm: view}
	if !retryable(answer.Value) {
		p.Title, view.What = "Nothing to retry", []string{"The run has not failed, was retried already, or failed in a way that a retry cannot mend."}
		return p, nil
	}
	for _, row := range v.targetRows(run, rows, nil) {
		if row.Code != "" || answer.Value.Undone() {
			view.Targets = append(view.Targets, row)
		}
	}
	view.What = []string{"This requests one new run of the targets below that can succeed. Asked twice, it is the same run. Nothing is written to GitLab."}
	view.Action, view.Token, view.Button, view.Command = action, s.token(action), "Start the retry", advice.Retry(run.RunID)
	return p, nil
}

// retry starts the retry of the run.
func (s *site) retry(ctx context.Context, v visit) (string, error) {
	run, err := s.API.RetryFailed(ctx, v.PathValue("run"))
	if err != nil {
		return "", err
	}
	return Query{View: ViewRun, RunID: run.Value.RunID}.path(), nil
}
