package gitlab_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	api "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// recordOf writes a work item, as the official client reads it, in the words of the
// issues API, in which copies are stored. milestones are the titles by id: a work item
// names its milestone by id only.
func recordOf(t *testing.T, project int64, w *api.WorkItem, milestones map[int64]string) json.RawMessage {
	t.Helper()
	person := func(u *api.BasicUser) map[string]any {
		return map[string]any{"id": u.ID, "username": u.Username, "name": u.Name}
	}
	labels, assignees := []string{}, []map[string]any{}
	for _, l := range w.Labels {
		labels = append(labels, l.Name)
	}
	for _, a := range w.Assignees {
		assignees = append(assignees, person(a))
	}
	issue := map[string]any{
		"id": w.ID, "iid": w.IID, "project_id": project, "title": w.Title, "description": w.Description, "confidential": w.Confidential,
		"state": map[string]string{"OPEN": "opened", "CLOSED": "closed"}[w.State], "issue_type": strings.ToLower(w.Type),
		"created_at": w.CreatedAt, "updated_at": w.UpdatedAt, "closed_at": w.ClosedAt, "due_date": w.DueDate,
		"labels": labels, "author": person(w.Author), "assignees": assignees,
		"web_url": strings.Replace(w.WebURL, "/-/work_items/", "/-/issues/", 1),
	}
	if w.MilestoneID != nil {
		issue["milestone"] = map[string]any{"id": *w.MilestoneID, "title": milestones[*w.MilestoneID]}
	}
	raw, err := json.Marshal(issue)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Decision 021 rests on this: what heads and documents are made of does not depend on
// the API that an issue came from.
func TestWorkItem_HasAllThatHeadsAndDocumentsAreMadeOf(t *testing.T) {
	server := fakegitlab.New(fakegitlab.Options{})
	truth, err := server.Truth(fakegitlab.IssueRef(7))
	if err != nil {
		t.Fatal(err)
	}
	ofIssue, err := surgical.ParseAttributes(truth.Entity)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := os.ReadFile("testdata/work_item.json")
	if err != nil {
		t.Fatal(err)
	}
	description, err := json.Marshal(ofIssue.Description)
	if err != nil {
		t.Fatal(err)
	}
	recorded = []byte(strings.Replace(string(recorded), `"DESCRIPTION"`, string(description), 1))
	client, err := api.NewClient("", api.WithBaseURL(serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "%s", recorded)
	}))))
	if err != nil {
		t.Fatal(err)
	}
	item, _, err := client.WorkItems.GetWorkItem(fakegitlab.ProjectPath, 7)
	if err != nil {
		t.Fatal(err)
	}
	record := recordOf(t, fakegitlab.ProjectID, item, map[int64]string{31: "4.2 Faster exports"})
	ofItem, err := surgical.ParseAttributes(record)
	if diff := cmp.Diff(ofIssue, ofItem); diff != "" || err != nil {
		t.Errorf("%v, attributes (-issue +work item):\n%s", err, diff)
	}
	want, err := render.Entity(fakegitlab.IssueRef(7), truth.Entity, ofIssue.Description)
	if err != nil {
		t.Fatal(err)
	}
	got, err := render.Entity(fakegitlab.IssueRef(7), record, ofItem.Description)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, document (-issue +work item):\n%s", err, diff)
	}
}
