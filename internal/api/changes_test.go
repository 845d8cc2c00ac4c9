package api_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// changed lets the stream say that the heads of the entities changed.
func (f *fixture) changed(refs ...surgical.EntityRef) {
	f.Helper()
	var records []string
	for _, ref := range refs {
		records = append(records, fmt.Sprintf(`{"eventSource":"aws:dynamodb","dynamodb":{"Keys":{"pk":{"S":"P#%s"},"sk":{"S":"head"}}}}`, ref.Key()))
	}
	consumer := &feed.Consumer{Store: feed.NewStore(f.DB, f.Tables.Feed, f.Clock.Now), Clock: f.Clock.Now, Log: slog.New(slog.DiscardHandler)}
	if _, err := consumer.Handle(f.Context(), json.RawMessage(`{"Records":[`+strings.Join(records, ",")+`]}`)); err != nil {
		f.Fatal(err)
	}
}

func TestChanges_ShowsEachEntityAsItIsNow(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.changed()
		start := get[api.ChangeList](f, "/v1/changes")
		if len(start.Changes) > 0 || start.More || start.Next == "" {
			t.Fatalf("%+v", start)
		}
		issue, other, foreign := fakegitlab.IssueRef(7), fakegitlab.IssueRef(8), surgical.EntityRef{ProjectID: 99, Target: fakegitlab.IssueRef(7).Target}
		f.Sync(f.Request(surgical.OriginManual, issue))
		f.changed(other, issue, foreign)
		f.changed(issue)
		list := get[api.ChangeList](f, "/v1/changes?since="+start.Next)
		if len(list.Changes) != 2 || list.More || !list.Changes[0].Gone || list.Changes[0].IID != 8 || list.Changes[0].Entity != nil ||
			list.Changes[1].Gone || list.Changes[1].IID != 7 || list.Changes[1].Entity.Revision != 1 {
			t.Errorf("%+v", list)
		}
		var seen []int64
		since, more := start.Next, true
		for more {
			page := get[api.ChangeList](f, "/v1/changes?limit=1&since="+since)
			for _, c := range page.Changes {
				seen = append(seen, c.IID)
			}
			since, more = page.Next, page.More
		}
		if fmt.Sprint(seen) != "[8 7 7]" {
			t.Errorf("in pages: %v", seen)
		}
		if page := get[api.ChangeList](f, "/v1/changes?project=2&since="+start.Next); len(page.Changes) > 0 {
			t.Errorf("of another project: %+v", page)
		}
		if page := get[api.ChangeList](f, "/v1/changes?since="+since); len(page.Changes) > 0 {
			t.Errorf("after everything: %+v", page)
		}
	})
}

func TestChanges_SaysWhenAReaderHasToBeginAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.changed()
		start := get[api.ChangeList](f, "/v1/changes")
		f.post("/v1/hides", `{"project":"1"}`)
		p := problemIn(t, call(f.handler, http.MethodGet, "/v1/changes?since="+start.Next, ""), http.StatusGone)
		if p.Code != surgical.CodeFeedRestarted || p.Retryable {
			t.Errorf("%+v", p)
		}
		for _, wrong := range []string{"x", "eyJsIjoiY2hhbmdlcyJ9"} {
			if p := problemIn(t, call(f.handler, http.MethodGet, "/v1/changes?since="+wrong, ""), http.StatusUnprocessableEntity); !strings.Contains(p.Detail, "query.since") {
				t.Errorf("%s: %+v", wrong, p)
			}
		}
	})
}

func TestChanges_SaysOfWhatIsExcludedThatItIsGone(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.exclude()
		f.changed()
		start := get[api.ChangeList](f, "/v1/changes")
		ref := fakegitlab.IssueRef(7)
		f.GitLab.EditIssue(ref, func(i *fakegitlab.Issue) { i.Title, i.Confidential = "SECRET", true })
		f.Sync(f.Request(surgical.OriginManual, ref))
		f.changed(ref)
		list := get[api.ChangeList](f, "/v1/changes?since="+start.Next)
		if len(list.Changes) != 1 || !list.Changes[0].Gone || list.Changes[0].Entity != nil {
			t.Errorf("%+v", list)
		}
	})
}
