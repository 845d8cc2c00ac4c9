package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// entitiesOf follows the cursors of a project's list.
func entitiesOf(f *fixture, query string) (targets []string) {
	f.Helper()
	for cursor := ""; ; {
		page := get[api.EntityList](f, "/v1/projects/1/entities?"+query+cursor)
		for _, e := range page.Entities {
			targets = append(targets, surgical.Target{Type: e.Type, IID: e.IID}.String())
		}
		if page.NextCursor == "" {
			return targets
		}
		if query, cursor = "", "cursor="+page.NextCursor; len(targets) > 100 {
			f.Fatal("the list has no end")
		}
	}
}

func TestListEntities_ShowsEveryVisibleCopyOnceFromAnyPlace(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		refs := []surgical.EntityRef{fakegitlab.IssueRef(10), fakegitlab.IssueRef(7), fakegitlab.IssueRef(8), fakegitlab.MergeRequestRef(12)}
		f.GitLab.SetIssue(fakegitlab.NewIssue(10, "Ten", "", instant("2026-05-20T09:12:00Z")))
		f.Sync(f.Request(surgical.OriginManual, refs...))
		all := []string{"issue#10", "issue#7", "issue#8", "merge_request#12"}
		for limit := 1; limit <= 5; limit++ {
			if diff := cmp.Diff(all, entitiesOf(f, fmt.Sprintf("limit=%d", limit))); diff != "" {
				t.Errorf("limit %d (-want +got):\n%s", limit, diff)
			}
		}
		for after, want := range map[string][]string{"issue%237": all[2:], "issue%2375": all[2:], "merge_request%2312": nil} {
			if diff := cmp.Diff(want, entitiesOf(f, "after="+after)); diff != "" {
				t.Errorf("after %s (-want +got):\n%s", after, diff)
			}
		}
		listed, copied := get[api.EntityList](f, "/v1/projects/1/entities?after=issue%2310&limit=1").Entities[0], get[api.EntityView](f, pathOf(refs[1]))
		if listed.Title != copied.Title || listed.Revision != copied.Revision || !listed.FetchedAt.Equal(copied.FetchedAt) || !slices.Equal(listed.Labels, copied.Labels) {
			t.Errorf("listed as %+v, copy %+v", listed, copied)
		}
		if got := get[api.EntityList](f, "/v1/projects/2/entities"); len(got.Entities) != 0 || got.NextCursor != "" {
			t.Errorf("a project without copies: %+v", got)
		}
	})
}

func TestListEntities_LeavesOutWhatIsNotShown(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		f.Sync(f.Request(surgical.OriginManual, fakegitlab.IssueRef(7), fakegitlab.IssueRef(8)))
		_, err := e.DynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName:        &e.Tables.Content,
			Key:              map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "P#1#issue#7"}, "sk": &types.AttributeValueMemberS{Value: "head"}},
			UpdateExpression: aws.String("SET #gone = :yes"), ExpressionAttributeNames: map[string]string{"#gone": "gone"}, ExpressionAttributeValues: map[string]types.AttributeValue{":yes": &types.AttributeValueMemberBOOL{Value: true}},
		})
		f.must(err)
		if got := entitiesOf(f, "limit=1"); !slices.Equal(got, []string{"issue#8"}) {
			t.Errorf("listed %v", got)
		}
	})
}

func TestListEntities_RejectsWhatItDoesNotUnderstand(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		f.Sync(f.Request(surgical.OriginManual, fakegitlab.IssueRef(7), fakegitlab.IssueRef(8)))
		cursor := get[api.EntityList](f, "/v1/projects/1/entities?limit=1").NextCursor
		for path, status := range map[string]int{
			"/v1/projects/1/entities?after=issue%23-7":                 http.StatusUnprocessableEntity,
			"/v1/projects/1/entities?after=issue%2307":                 http.StatusUnprocessableEntity,
			"/v1/projects/1/entities?after=epic%237":                   http.StatusUnprocessableEntity,
			"/v1/projects/2/entities?cursor=" + cursor:                 http.StatusUnprocessableEntity,
			"/v1/projects/1/entities?after=issue%237&cursor=" + cursor: http.StatusUnprocessableEntity,
			"/v1/projects/99/entities":                                 http.StatusForbidden,
			"/v1/projects/unknown%2Fproject/entities":                  http.StatusNotFound,
		} {
			problemIn(t, call(f.handler, http.MethodGet, path, ""), status)
		}
	})
}
