package api_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// exclude rebuilds the API without confidential issues and internal notes.
func (f *fixture) exclude() {
	f.Helper()
	f.policy = surgical.Exclude
	f.handler = serve(f.T, f.options())
}

// reads returns the path of every GET of the API, with the values in place of its
// parameters.
func reads(t *testing.T, values map[string]string) map[string]string {
	t.Helper()
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{}
	for pattern, item := range description.Paths {
		if item.Get == nil {
			continue
		}
		path := pattern
		for name, value := range values {
			path = strings.ReplaceAll(path, "{"+name+"}", value)
		}
		paths[item.Get.OperationID] = path
	}
	return paths
}

// untoldOfContent are the GETs that answer about an entity whatever readers see of it: they
// show nothing of its content. Runs are named by numbers; an erasure counts items, because the
// operator must know that nothing is left.
func untoldOfContent() []string {
	return []string{"list-issue-sync-runs", "get-issue-erasure"}
}

// untimed is an answer without the time of its reading, which a place in the change feed
// also has.
func untimed(body string) string {
	return regexp.MustCompile(`"(read_at|next)":"[^"]*"`).ReplaceAllString(body, "")
}

func TestEveryRead_AnswersWhatIsExcludedLikeWhatIsAbsent(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		confidential, public := fakegitlab.IssueRef(7), fakegitlab.IssueRef(8)
		f.GitLab.EditIssue(confidential, func(i *fakegitlab.Issue) { i.Title, i.Confidential = "SECRET", true })
		f.GitLab.AddDiscussion(confidential, fakegitlab.Note{Body: "SECRET"})
		f.GitLab.AddDiscussion(public, fakegitlab.Note{Body: "INTERNAL", Internal: true})
		f.GitLab.AddDiscussion(public, fakegitlab.Note{Body: "OPEN"})
		run := f.Webhook(confidential)
		f.Webhook(public)
		shown := 0
		for _, excluded := range []bool{false, true} {
			if excluded {
				f.exclude()
			}
			read := func(iid string) map[string]*httptest.ResponseRecorder {
				answers := map[string]*httptest.ResponseRecorder{}
				for operation, path := range reads(t, map[string]string{"project": "1", "iid": iid, "run_id": run.RunID}) {
					answers[operation] = call(f.handler, http.MethodGet, path, "")
					if operation == "get-issue" {
						answers["get-issue as Markdown"] = call(f.handler, http.MethodGet, path, "", "Accept", "text/markdown")
					}
				}
				return answers
			}
			absent := read("999")
			for _, iid := range []string{"7", "8"} {
				for operation, answer := range read(iid) {
					secret := strings.Contains(answer.Body.String(), "SECRET") || strings.Contains(answer.Body.String(), "INTERNAL")
					if secret && excluded {
						t.Errorf("%s of issue %s shows what is excluded: %s", operation, iid, answer.Body)
					}
					if secret {
						shown++
					}
					like := untimed(strings.ReplaceAll(absent[operation].Body.String(), "999", iid))
					if excluded && iid == "7" && !slices.Contains(untoldOfContent(), operation) && (answer.Code != absent[operation].Code || untimed(answer.Body.String()) != like) {
						t.Errorf("%s answers %d %s\nfor what is excluded, and %d %s\nfor what is absent", operation, answer.Code, answer.Body, absent[operation].Code, absent[operation].Body)
					}
				}
			}
		}
		if shown < 5 {
			t.Errorf("only %d answers show confidential text although it is included", shown)
		}
	})
}
