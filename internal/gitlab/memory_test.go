package gitlab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/memory"
)

func TestMain(m *testing.M) {
	os.Exit(memory.Main((*testing.M).Run, m, map[string]memory.Task{"crawler": readLists}))
}

const largePages = 5

// readLists reads a list one page after another, as the crawler does.
func readLists(ctx context.Context, raw json.RawMessage) error {
	var url string
	if err := json.Unmarshal(raw, &url); err != nil {
		return err
	}
	client, err := gitlab.NewClient(gitlab.Options{
		BaseURL: url, Token: func(context.Context) (string, error) { return "glpat-sample", nil }, Clock: time.Now,
	})
	if err != nil {
		return err
	}
	pages, q := 0, gitlab.ListQuery{}
	for {
		page, err := client.ListIssues(ctx, 1, q)
		if err != nil {
			return err
		}
		if len(page.Entries) > 0 {
			pages++
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if pages < largePages {
		return fmt.Errorf("read %d pages", pages)
	}
	return nil
}

// Pages of the largest size stay within 70% of the crawler's memory, which holds one at a
// time.
func TestListIssues_StaysWithinTheMemoryOfTheCrawler(t *testing.T) {
	if testing.Short() {
		t.Skip("a process of its own: not with -short")
	}
	const perPage = 100
	text := strings.Repeat("x", surgical.MaxListPageBytes/perPage-300)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		after, _ := time.Parse(time.RFC3339, r.URL.Query().Get("created_after"))
		first := max(0, int(after.Unix()-1_790_000_000)) + 1
		separator := "["
		for iid := first; iid < first+perPage && iid <= perPage*largePages; iid++ {
			created := time.Unix(1_790_000_000+int64(iid), 0).UTC().Format("2006-01-02T15:04:05.000Z")
			fmt.Fprintf(w, `%s{"iid":%d,"project_id":1,"state":"opened","confidential":false,"created_at":"%s","updated_at":"%s","description":"%s"}`, separator, iid, created, created, text)
			separator = ","
		}
		if separator == "[" {
			fmt.Fprint(w, "[")
		}
		fmt.Fprint(w, "]")
	}))
	defer server.Close()
	memory.Within(t, "crawler", surgical.CrawlerMemory, server.URL)
}
