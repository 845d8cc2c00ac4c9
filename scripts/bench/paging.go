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
	r := pageReader{t, (&cloudapi.APIs{}).Lend(w.Cloud, w.Functions), read, fmt.Sprintf("/v1/projects/%d/issues/%d", ref.ProjectID, ref.IID), floor}
	figures := r.figures("an issue without its documents", url.Values{"include": {"discussions,events"}})
	return append(figures, r.figures("an issue with its documents", url.Values{})...)
}

// pageReader reads an entity page by page.
type pageReader struct {
	t     cloud.TB
	api   http.Handler
	read  *readBytes
	path  string
	floor float64
}

// figures reads all pages.
func (r pageReader) figures(what string, query url.Values) []figure {
	r.read.take()
	pages, all, largest, returned := 0, 0.0, 0.0, 0
	for more := true; more; pages++ {
		request := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, r.path+"?"+query.Encode(), nil)
		answer := httptest.NewRecorder()
		r.api.ServeHTTP(answer, request)
		var page struct {
			NextCursor string `json:"next_cursor"`
		}
		if answer.Code != http.StatusOK {
			r.t.Fatalf("page %d has status %d: %.300s", pages, answer.Code, answer.Body)
		}
		returned += answer.Body.Len()
		if err := json.Unmarshal(answer.Body.Bytes(), &page); err != nil {
			r.t.Fatal(err)
		}
		bytes := r.read.take()
		all, largest = all+bytes, max(largest, bytes)
		query.Set("cursor", page.NextCursor)
		more = page.NextCursor != ""
	}
	const million = 1e6
	total := newFigure(fmt.Sprintf("%s, in %d pages: read from the store", what, pages), all/million, "MB", r.floor/million, 0)
	page := newFigure("  for one page at most", largest/million, "MB", r.floor/million/float64(pages), 0)
	return []figure{total.within(2, total.Ratio), page.within(2, page.Ratio), newFigure("  returned", float64(returned)/million, "MB", 0, 0)}
}
