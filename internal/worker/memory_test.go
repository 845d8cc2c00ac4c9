package worker_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/worker"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/memory"
)

// commented serves issues with so many comments of a size, so many a page. Their
// texts differ, and hardly shrink when they are compressed.
func commented(comments, size, perPage int) http.Handler {
	pages := (comments + perPage - 1) / perPage
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch name := path.Base(r.URL.Path); {
		case path.Base(path.Dir(r.URL.Path)) == "issues":
			fmt.Fprintf(w, `{"iid":%s,"project_id":1,"confidential":false,"title":"Large","updated_at":"2026-11-29T02:00:00Z"}`, name)
			return
		case name != "discussions":
			w.Header().Set("X-Total", "0")
			fmt.Fprint(w, "[]")
			return
		}
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		w.Header().Set("X-Total", strconv.Itoa(comments))
		w.Header().Set("X-Total-Pages", strconv.Itoa(pages))
		if page < pages {
			w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
		}
		separator := "["
		for id := (page-1)*perPage + 1; id <= min(page*perPage, comments); id++ {
			fmt.Fprintf(w, `%s{"id":"%d","notes":[{"id":%d,"internal":false,"body":"`, separator, id, id)
			text := base64.NewEncoder(base64.StdEncoding, w)
			_, _ = io.CopyN(text, rand.NewChaCha8([32]byte{byte(id), byte(id >> 8)}), int64(size/4*3))
			_ = text.Close()
			fmt.Fprint(w, `"}]}`)
			separator = ","
		}
		fmt.Fprint(w, "]")
	})
}

// peak returns the most memory that the process has had since the last reset, in MB.
func peak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("the peak is read from /proc")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes >> 10
}

// fetch is what one run of the worker fetches.
type fetch struct {
	name                            string
	issues, comments, size, perPage int
	tooLarge                        bool
}

// fetches are the largest runs and those just too large, or a small one unless make memory
// runs the test.
func fetches() []fetch {
	if !memory.Full() {
		return []fetch{{"2 issues of 4 comments of 5 KB", 2, 4, 5 << 10, 100, false}}
	}
	return []fetch{
		{"25 issues of 1,010 comments of 5 KB: 126 MB", 25, 1010, 5 << 10, 100, false},
		{"25 issues of 100 comments of 100 KB: 244 MB, just below the limit of a run", 25, 100, 100_000, 100, false},
		{"4 issues of 60 comments of 1 MB: 240 MB, each just below the limit of an entity", 4, 60, 1_000_000, 20, false},
		{"25 issues of 187 comments of 100 KB: 468 MB", 25, 187, 100_000, 100, true},
		{"an issue of 8 pages of 40 comments of 1 MB: 312 MB", 1, 320, 1_000_000, 40, true},
	}
}

// The largest runs, and those just too large, stay within 70% of the worker's
// memory. The process is a worker whose DynamoDB forgets the texts.
func TestProcess_StaysWithinItsMemoryAtEveryLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(surgical.WorkerMemory << 20 / 100 * surgical.GoMemoryPercent))
	for _, c := range fetches() {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			server := httptest.NewServer(commented(c.comments, c.size, c.perPage))
			defer server.Close()
			client, err := gitlab.NewClient(gitlab.Options{
				BaseURL: server.URL, Token: func(context.Context) (string, error) { return "glpat-sample", nil }, Clock: w.Clock.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			w.Engine.Fetch = client.Fetch
			w.around = func(_ context.Context, call cloud.Call, send func() error) error {
				if in, ok := call.Input.(*dynamodb.BatchWriteItemInput); ok {
					for _, requests := range in.RequestItems {
						for _, request := range requests {
							delete(request.PutRequest.Item, "text")
							request.PutRequest.Item["zstd"] = &types.AttributeValueMemberB{Value: []byte{0}}
						}
					}
				}
				return send()
			}
			var refs []surgical.EntityRef
			for i := range c.issues {
				refs = append(refs, surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: int64(i + 1)}})
			}
			debug.FreeOSMemory()
			if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
				t.Skip("the peak cannot be reset")
			}
			before, began := peak(t), time.Now()
			req := w.Request(surgical.OriginManual, refs...)
			want(t, w.process(req, true), worker.Done{})
			memory.CheckAt(t, "worker", c.name, int64(c.issues)*int64(c.comments)*int64(c.size), peak(t), surgical.WorkerMemory)
			t.Logf("%d MB before, %v", before, time.Since(began).Round(time.Millisecond))
			run := w.Run(req.RunID)
			if !c.tooLarge {
				if !run.Committed() {
					t.Errorf("the run is %s, %v", run.Status, run.Error)
				}
				return
			}
			if run.Status != surgical.StatusFailed || run.Error.Failures[0].Code != surgical.CodeEntityTooLarge || run.Error.Failures[0].Retryable {
				t.Errorf("the run is %s, %v", run.Status, run.Error)
			}
		})
	}
}
