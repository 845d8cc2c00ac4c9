package api_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// listedIssues follows the cursors of a list of issues.
func listedIssues(f *fixture, query string) (iids []int64) {
	f.Helper()
	for cursor := ""; ; {
		page := get[api.EntityListing](f, "/v1/projects/1/issues?"+query+cursor)
		for _, e := range page.Entities {
			iids = append(iids, e.IID)
		}
		if page.NextCursor == "" {
			return iids
		}
		if cursor = "&cursor=" + page.NextCursor; len(iids) > 100 {
			f.Fatal("the list has no end")
		}
	}
}

func TestListing_SelectsByEveryFilter(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		mira, other := fakegitlab.Mira(), fakegitlab.User{ID: 77, Username: "tomas", Name: "Tomas"}
		var refs []surgical.EntityRef
		for i := range 6 {
			iid := int64(101 + i)
			created := instant(fmt.Sprintf("2026-05-1%dT09:00:00Z", i))
			issue := fakegitlab.NewIssue(iid, fmt.Sprintf("Issue %d", iid), "", created)
			issue.Author, issue.Labels = mira, []string{"list"}
			if i%2 == 0 {
				issue.Labels, issue.Assignees = append(issue.Labels, "even"), []fakegitlab.User{other}
			}
			if i == 5 {
				issue.State, issue.Author = "closed", other
			}
			f.GitLab.SetIssue(issue)
			refs = append(refs, surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}})
		}
		f.Sync(f.Request(surgical.OriginManual, refs...))
		for query, want := range map[string][]int64{
			"":                                           {106, 105, 104, 103, 102, 101},
			"order=updated_asc":                          {101, 102, 103, 104, 105, 106},
			"order=created_desc":                         {106, 105, 104, 103, 102, 101},
			"order=created_asc":                          {101, 102, 103, 104, 105, 106},
			"state=opened":                               {105, 104, 103, 102, 101},
			"state=closed":                               {106},
			"label=list":                                 {106, 105, 104, 103, 102, 101},
			"label=list,even":                            {105, 103, 101},
			"label=even,+,list":                          {105, 103, 101},
			"label=EVEN":                                 nil, // to GitLab, this is another label
			"label=nothing":                              nil,
			"author=TOMAS":                               {106},
			"assignee=@tomas&state=opened":               {105, 103, 101},
			"milestone=none":                             nil,
			"created_after=2026-05-12T09:00:00Z":         {106, 105, 104, 103},
			"created_before=2026-05-12T09:00:00Z":        {102, 101},
			"created_after=2026-05-12":                   {106, 105, 104, 103},
			"created_before=2026-05-13":                  {103, 102, 101},
			"updated_after=2026-05-14":                   {106, 105},
			"updated_before=2026-05-12":                  {102, 101},
			"created_before=0001-01-01T00:00:00Z":        nil, // not absent, although it is Go's zero time
			"updated_before=0001-01-01T00:00:00Z":        nil,
			"updated_before=0001-01-01":                  nil,
			"updated_after=0001-01-01T00:00:00Z":         {106, 105, 104, 103, 102, 101},
			"updated_after=2026-05-14T09:00:00Z":         {106, 105},
			"updated_before=2026-05-11T09:00:00%2B00:00": {101},
			"updated_after=2026-05-12T09:00:00Z&updated_before=2026-05-14T09:00:00Z&order=created_asc": {103, 104},
		} {
			for _, limit := range []int{1, 4, 100} {
				if diff := cmp.Diff(want, listedIssues(f, fmt.Sprintf("%s&limit=%d", query, limit))); diff != "" {
					t.Errorf("%s, limit %d (-want +got):\n%s", query, limit, diff)
				}
			}
		}
		row := get[struct{ Entities []map[string]any }](f, "/v1/projects/1/issues?limit=1&fields=title,assignees").Entities[0]
		if diff := cmp.Diff(map[string]any{"project_id": 1.0, "type": "issue", "iid": 106.0, "title": "Issue 106"}, row); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
		whole := get[api.EntityListing](f, "/v1/projects/1/issues?label=even&limit=1").Entities[0]
		if whole.Author != mira.Username || len(whole.Assignees) != 1 || whole.CreatedAt.IsZero() || whole.Revision != 1 {
			t.Errorf("a row: %+v", whole)
		}
	})
}

func TestListing_RefusesACursorOfAnotherQueryAndUnknownValues(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.Sync(f.Request(surgical.OriginManual, fakegitlab.IssueRef(7), fakegitlab.IssueRef(8)))
		const issues = "/v1/projects/1/issues"
		cursor := url.QueryEscape(get[api.EntityListing](f, issues+"?limit=1").NextCursor)
		if cursor == "" {
			t.Fatal("there is no second page")
		}
		for query, want := range map[string]int{
			issues + "?limit=2&cursor=" + cursor:             http.StatusOK,
			issues + "?fields=iid&cursor=" + cursor:          http.StatusOK,
			issues + "?state=opened&cursor=" + cursor:        http.StatusUnprocessableEntity,
			issues + "?label=bug&cursor=" + cursor:           http.StatusUnprocessableEntity,
			issues + "?order=created_desc&cursor=" + cursor:  http.StatusUnprocessableEntity,
			"/v1/projects/2/issues?cursor=" + cursor:         http.StatusUnprocessableEntity,
			"/v1/projects/1/merge_requests?cursor=" + cursor: http.StatusUnprocessableEntity,
			issues + "?cursor=nonsense":                      http.StatusUnprocessableEntity,
			issues + "?state=merged":                         http.StatusUnprocessableEntity,
			issues + "?order=title":                          http.StatusUnprocessableEntity,
			issues + "?fields=name":                          http.StatusUnprocessableEntity,
			issues + "?fields=":                              http.StatusUnprocessableEntity,
			issues + "?updated_after=yesterday":              http.StatusUnprocessableEntity,
			issues + "?created_before=0000-01-01":            http.StatusUnprocessableEntity,
			issues + "?label=,":                              http.StatusUnprocessableEntity,
			issues + "?colour=blue":                          http.StatusUnprocessableEntity,
			"/v1/projects/3/issues":                          http.StatusForbidden,
			"/v1/projects/1/merge_requests?state=locked":     http.StatusOK,
			"/v1/projects/1/merge_requests?updated_before=9999-12-31T23:59:59Z&updated_after=0001-01-01T00:00:01Z": http.StatusOK,
		} {
			if got := call(f.handler, http.MethodGet, query, ""); got.Code != want {
				t.Errorf("%s: %d, want %d: %s", query, got.Code, want, got.Body)
			}
		}
	})
}

// addHeads stores copies of the issues 1001 to 1000+n, of which every fourth is closed.
// Each was updated a second before the one before it, and the first at the time that is
// returned.
func (f *fixture) addHeads(n int64) time.Time {
	f.Helper()
	newest := f.World.Clock.Now().Truncate(time.Microsecond)
	f.Sync(f.Request(surgical.OriginManual, fakegitlab.IssueRef(7)))
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	first, err := f.DB.GetItem(f.Context(), &dynamodb.GetItemInput{TableName: &f.Tables.Content, Key: map[string]types.AttributeValue{"pk": text("P#1#issue#7"), "sk": text("head")}})
	f.must(err)
	var batch []types.WriteRequest
	for i := range n {
		iid, state, at := 1001+i, "opened", newest.UnixMicro()-i*1_000_000
		if i%4 == 3 {
			state = "closed"
		}
		head := maps.Clone(first.Item)
		delete(head, "children")
		head["pk"], head["entity"] = text(fmt.Sprintf("P#1#issue#%d", iid)), text(fmt.Sprintf("issue#%d", iid))
		head["updated_at"] = &types.AttributeValueMemberN{Value: fmt.Sprint(at)}
		head["list"], head["listed"] = text("1#issue#"+state), text(fmt.Sprintf("%016d#%016d", at, iid))
		head["attributes"] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"state": text(state), "title": text("T")}}
		if batch = append(batch, types.WriteRequest{PutRequest: &types.PutRequest{Item: head}}); len(batch) == 25 || i == n-1 {
			_, err := f.DB.BatchWriteItem(f.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{f.Tables.Content: batch}})
			f.must(err)
			batch = nil
		}
	}
	return newest
}

func TestListing_TakesAtMostThreeCallsAPageByStateAndTime(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		var calls []string
		e.DynamoDB = cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			calls = append(calls, call.Operation)
			return send()
		})
		f := newFixture(t, e)
		since := url.QueryEscape(f.addHeads(1000).Add(-900 * time.Second).UTC().Format(time.RFC3339Nano))
		for _, query := range []string{
			"state=opened&limit=100", "state=closed&limit=100", "state=opened&order=updated_asc&limit=30", "state=opened&limit=100&updated_after=" + since,
		} {
			want := map[string]int{"closed": 250, "opened": 750}[query[len("state="):len("state=opened")]]
			if strings.Contains(query, "after") {
				want = 676
			}
			seen := map[int64]bool{}
			for cursor, pages := "", 0; ; pages++ {
				calls = nil
				page := get[api.EntityListing](f, "/v1/projects/1/issues?"+query+cursor)
				if len(calls) > 3 {
					t.Errorf("%s, page %d: %v", query, pages, calls)
				}
				for _, entity := range page.Entities {
					seen[entity.IID] = entity.IID > 1000
				}
				if page.NextCursor == "" {
					break
				}
				cursor = "&cursor=" + page.NextCursor
			}
			delete(seen, 7)
			if len(seen) != want {
				t.Errorf("%s: %d entities, want %d", query, len(seen), want)
			}
		}
	})
}
