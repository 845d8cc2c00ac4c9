package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudapi"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// The entity that is read has so many comments of so many words, some 10 MB.
const readComments, readWords = 1000, 1600

// readBytes adds up the sizes of the items that calls to DynamoDB return.
type readBytes struct {
	mu  sync.Mutex // guards sum
	sum int
}

func (r *readBytes) watch(_ context.Context, call cloud.Call, send func() error) error {
	if err := send(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch out := call.Output().(type) {
	case *dynamodb.GetItemOutput:
		r.sum += dynamo.ItemSize(out.Item)
	case *dynamodb.QueryOutput:
		for _, item := range out.Items {
			r.sum += dynamo.ItemSize(item)
		}
	case *dynamodb.BatchGetItemOutput:
		for _, items := range out.Responses {
			for _, item := range items {
				r.sum += dynamo.ItemSize(item)
			}
		}
	}
	return nil
}

// take returns the bytes since the last call.
func (r *readBytes) take() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.sum = 0 }()
	return float64(r.sum)
}

// paging measures how much of the store the API reads to return all pages of a large
// entity, against the items that hold what the pages show.
func paging(ctx context.Context) (figures []figure, err error) {
	err = cloud.Run(ctx, func(t cloud.TB) { figures = paged(t) })
	return figures, err
}

func paged(t cloud.TB) []figure {
	db, names := fakedynamodb.New()
	read := &readBytes{}
	w := cloud.NewWorld(t, cloud.Intercept(db.Client(), read.watch), names)
	ref, texts := fakegitlab.IssueRef(8), newLibrary(3)
	for range readComments {
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: texts.text(readWords)})
	}
	w.Webhook(ref)
	floor := 0.0
	for _, item := range db.Items(names.Content) {
		sk, ok := item["sk"].(*types.AttributeValueMemberS)
		if prefix, _, _ := strings.Cut(sk.Value, "#"); ok && slices.Contains([]string{"head", "part", "child", "piece"}, prefix) {
			floor += float64(dynamo.ItemSize(item))
		}
	}
	api := (&cloudapi.APIs{}).Lend(w.Cloud, w.Functions)
	read.take()
	pages, all, largest, returned := 0, 0.0, 0.0, 0
	for cursor := ""; ; pages++ {
		path := fmt.Sprintf("/v1/projects/%d/issues/%d", ref.ProjectID, ref.IID)
		if cursor != "" {
			path += "?cursor=" + url.QueryEscape(cursor)
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, request)
		var page struct {
			NextCursor string `json:"next_cursor"`
		}
		if answer.Code != http.StatusOK {
			t.Fatalf("page %d has status %d: %.300s", pages, answer.Code, answer.Body)
		}
		returned += answer.Body.Len()
		if err := json.Unmarshal(answer.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		bytes := read.take()
		all, largest = all+bytes, max(largest, bytes)
		if cursor = page.NextCursor; cursor == "" {
			pages++
			break
		}
	}
	const million = 1e6
	total := newFigure(fmt.Sprintf("an issue in %d pages: read from the store", pages), all/million, "MB", floor/million, 0)
	page := newFigure("  for one page at most", largest/million, "MB", floor/million/float64(pages), 0)
	return []figure{
		total.within(2, total.Ratio).notYet(3.6),
		page.within(2, page.Ratio).notYet(3.6),
		newFigure("  returned", float64(returned)/million, "MB", 0, 0),
	}
}
