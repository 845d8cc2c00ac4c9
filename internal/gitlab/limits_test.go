package gitlab_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

const plainEntity = `{"iid":7,"project_id":1,"updated_at":"2026-11-29T02:00:00Z"}`

// plain serves an issue 7 whose lists are empty, except for what answer gives:
// the body of a page, and whether another one follows.
func plain(entity []byte, answer func(list string, page int) (body []byte, more bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		list := path.Base(r.URL.Path)
		if list == "7" {
			_, _ = w.Write(entity) // a client that has seen enough hangs up
			return
		}
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		body, more := answer(list, page)
		w.Header().Set("X-Per-Page", "100")
		switch {
		case more:
			w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
		case page == 1:
			w.Header().Set("X-Total", strconv.Itoa(bytes.Count(body, []byte(`"id"`))))
		}
		_, _ = w.Write(body)
	})
}

// recordsFrom is a page with n records whose ids begin at first.
func recordsFrom(first, n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `,{"id":%d}`, first+i)
	}
	return append([]byte{'['}, append(bytes.TrimPrefix(b.Bytes(), []byte{','}), ']')...)
}

// filled repeats white space until before and after have the given size together.
func filled(before, after string, size int) []byte {
	body := bytes.Repeat([]byte{' '}, size)
	copy(body, before)
	copy(body[size-len(after):], after)
	return body
}

// Every limit holds at its value, and one beyond it is refused permanently with
// a message that names it.
func TestClientFetch_RefusesForGoodWhatIsBeyondALimit(t *testing.T) {
	none := func(string, int) ([]byte, bool) { return []byte("[]"), false }
	inDiscussions := func(body []byte) func(string, int) ([]byte, bool) {
		return func(list string, page int) ([]byte, bool) {
			if list == "discussions" {
				return body, false
			}
			return none(list, page)
		}
	}
	const restOfEntity = len(plainEntity) + len("[][][]") // everything but the discussions
	for name, c := range map[string]struct {
		limit int
		serve func(size int) http.Handler
	}{
		"bytes of an entity": {surgical.MaxEntityBytes, func(size int) http.Handler {
			return plain([]byte(plainEntity), inDiscussions(filled("[", "]", size-restOfEntity)))
		}},
		"bytes of a record": {surgical.MaxRecordBytes, func(size int) http.Handler {
			return plain([]byte(plainEntity), inDiscussions(filled(`[{"id":1`, "}]", size+len("[]"))))
		}},
		"bytes of the entity itself": {surgical.MaxRecordBytes, func(size int) http.Handler {
			return plain(filled(strings.TrimSuffix(plainEntity, "}"), "}", size), none)
		}},
		"records of an entity": {surgical.MaxEntityRecords, func(size int) http.Handler {
			return plain([]byte(plainEntity), func(list string, page int) ([]byte, bool) {
				switch left := size - 100*page; {
				case list == "resource_label_events":
					return recordsFrom(1, 50), false
				case list != "discussions":
					return none(list, page)
				case left > 50:
					return recordsFrom(100*page, 100), true
				default:
					return recordsFrom(100*page, 100+left-50), false
				}
			})
		}},
		"pages of a list": {surgical.MaxListPages, func(size int) http.Handler {
			return plain([]byte(plainEntity), func(list string, page int) ([]byte, bool) {
				if list != "discussions" {
					return none(list, page)
				}
				if page == size { // without X-Total, the last page is an empty one
					return []byte("[]"), false
				}
				return recordsFrom(page, 1), true
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time goes into copying and decoding the largest bodies
			for _, excess := range []int{-1, 0, 1} {
				_, err := newClient(t, serve(t, c.serve(c.limit+excess))).Fetch(t.Context(), fakegitlab.IssueRef(7))
				if excess <= 0 {
					if err != nil {
						t.Errorf("%d below the limit: %v", -excess, err)
					}
					continue
				}
				if e := wantCode(t, err, surgical.CodeEntityTooLarge, false); !strings.Contains(e.Message, strconv.Itoa(c.limit)) {
					t.Errorf("the message does not name the limit of %d: %s", c.limit, e.Message)
				}
			}
		})
	}
}

// What GitLab says about the size is believed before the pages are read.
func TestClientFetch_RefusesWhatTheFirstPageReportsAsTooMuch(t *testing.T) {
	for name, header := range map[string]http.Header{
		"records": {"X-Total": {strconv.Itoa(surgical.MaxEntityRecords + 1)}, "X-Next-Page": {"2"}},
		"pages":   {"X-Total-Pages": {strconv.Itoa(surgical.MaxListPages + 1)}, "X-Next-Page": {"2"}},
	} {
		t.Run(name, func(t *testing.T) {
			inner := plain([]byte(plainEntity), func(string, int) ([]byte, bool) { return []byte("[]"), false })
			var requests atomic.Int64
			client := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				if path.Base(r.URL.Path) == "discussions" {
					for name, values := range header {
						w.Header()[name] = values
					}
					_, _ = w.Write(recordsFrom(1, 1))
					return
				}
				inner.ServeHTTP(w, r)
			})))
			_, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
			wantCode(t, err, surgical.CodeEntityTooLarge, false)
			if requests.Load() > 6 {
				t.Errorf("%d requests", requests.Load())
			}
		})
	}
}

// A list that never ends ends its target, and soon.
func TestClientFetch_EndsAnEndlessListWithinAnAttempt(t *testing.T) {
	for name, page := range map[string]func(page int) []byte{
		"of full pages":  func(page int) []byte { return recordsFrom(100*page, 100) },
		"of short pages": func(page int) []byte { return recordsFrom(page, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, serve(t, plain([]byte(plainEntity), func(list string, number int) ([]byte, bool) {
				if list != "discussions" {
					return []byte("[]"), false
				}
				return page(number), true
			})))
			snap, err := client.Fetch(t.Context(), fakegitlab.IssueRef(7))
			wantCode(t, err, surgical.CodeEntityTooLarge, false)
			if snap.Requests > surgical.MaxListPages+9 {
				t.Errorf("%d requests", snap.Requests)
			}
		})
	}
}

// A fetch holds what it read, and gives it back if it fails.
func TestClientFetch_TakesItsBytesFromTheRoom(t *testing.T) {
	const size = len(plainEntity) + len("[][][][]")
	for excess, want := range map[int64]error{0: nil, -1: surgical.ErrNoRoom} {
		client := newClient(t, serve(t, plain([]byte(plainEntity), func(string, int) ([]byte, bool) { return []byte("[]"), false })))
		r := room.New(int64(size) + excess)
		share := r.Share(false)
		_, err := client.Fetch(room.With(t.Context(), share), fakegitlab.IssueRef(7))
		if !errors.Is(err, want) {
			t.Fatalf("%d bytes more than needed: %v, want %v", excess, err, want)
		}
		if want != nil {
			wantCode(t, err, surgical.CodeEntityTooLarge, false)
		}
		if free := r.Share(false).Take(1); free != (want != nil) {
			t.Errorf("%d bytes more than needed: the room is free afterwards: %t", excess, free)
		}
	}
}
