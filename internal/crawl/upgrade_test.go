package crawl_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// unlisted makes every head one of a version that had no lists by state and time.
func (w *world) unlisted() {
	w.T.Helper()
	for _, item := range w.Rows(w.content) {
		if sk, _ := item["sk"].(*types.AttributeValueMemberS); sk.Value != "head" {
			continue
		}
		expression := "REMOVE #list, #listed, #attributes.#assignees, #attributes.#milestone, #attributes.#created"
		if _, err := w.db.UpdateItem(w.T.Context(), &dynamodb.UpdateItemInput{
			TableName: new(w.content), Key: map[string]types.AttributeValue{"pk": item["pk"], "sk": item["sk"]},
			UpdateExpression: &expression, ExpressionAttributeNames: map[string]string{
				"#list": "list", "#listed": "listed", "#attributes": "attributes", "#assignees": "assignees", "#milestone": "milestone", "#created": "created_at",
			},
		}); err != nil {
			w.T.Fatal(err)
		}
	}
}

// listed returns the numbers of the issues that a list shows with the time of their
// creation.
func (w *world) listed() (iids []int64) {
	w.T.Helper()
	page, err := w.Shown().List(w.T.Context(), content.List{
		ProjectID: fakegitlab.ProjectID, Type: surgical.Issue, Limit: content.MaxListed,
		Matches: func(h surgical.Head) bool { return h.Attributes.CreatedAt != "" },
	})
	if err != nil {
		w.T.Fatal(err)
	}
	for _, head := range page.Heads {
		iids = append(iids, head.Ref.IID)
	}
	slices.Sort(iids)
	return iids
}

func TestCrawl_BringsCopiesOfEarlierVersionsIntoLists(t *testing.T) {
	for name, pass := range map[string]func(w *world){
		"by a backfill": func(w *world) { w.backfill(); w.Settle() },
		"by a census":   func(w *world) { w.census(time.Hour, nothing) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.copied(3)
				all := []int64{7, 8, 9, 100, 101, 102}
				if got := w.listed(); !slices.Equal(got, all) {
					t.Errorf("listed: %v", got)
				}
				w.unlisted()
				if got := w.listed(); len(got) > 0 {
					t.Errorf("copies of an earlier version are listed: %v", got)
				}
				w.Clock.Advance(time.Hour)
				pass(w)
				if got := w.listed(); !slices.Equal(got, all) {
					t.Errorf("listed afterwards: %v", got)
				}
				runs := len(w.Runs())
				w.backfill()
				if w.Settle(); len(w.Runs()) != runs {
					t.Errorf("%d more runs: what is listed still differs", len(w.Runs())-runs)
				}
			})
		})
	}
}
