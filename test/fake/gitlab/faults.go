package gitlab

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Endpoints of an entity, as [Server.Requests] and [Fault] name them: "entity",
// "discussions", and the three lists of resource events. Those of a project, with an
// entity reference that has only the project: "project", "issues",
// "merge_requests", "hooks" and "hook events". With the zero reference: "projects",
// "group projects", and the hooks of groups.

// Requests returns the number of requests for each endpoint of each entity,
// keyed as "1#issue#7 discussions", and for each endpoint of a project, as
// "1 issues".
func (s *Server) Requests() map[string]int {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	return maps.Clone(s.counts)
}

// count returns the number of requests for the endpoint, including this one.
func (s *Server) count(ref surgical.EntityRef, endpoint string) int {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	key := ref.Key() + " " + endpoint
	if ref.IID == 0 {
		key = strings.TrimPrefix(strconv.FormatInt(ref.ProjectID, 10)+" "+endpoint, "0 ")
	}
	s.counts[key]++
	return s.counts[key]
}

// Hold withholds the responses to some requests.
type Hold struct {
	ref      surgical.EntityRef
	left     int
	full     chan struct{}
	released chan struct{}
	release  sync.Once
}

// Full is closed when as many requests are held as Hold was called for.
func (h *Hold) Full() <-chan struct{} { return h.full }

// Release releases the held responses and ends the hold.
func (h *Hold) Release() { h.release.Do(func() { close(h.released) }) }

// Hold withholds the responses to the entity's next requests until released;
// later requests pass. One fetch makes five requests. A held response shows the
// entity as it was when the request arrived.
func (s *Server) Hold(ref surgical.EntityRef, requests int) *Hold {
	h := &Hold{ref: ref, left: requests, full: make(chan struct{}), released: make(chan struct{})}
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	s.holds = append(s.holds, h)
	return h
}

// Release releases all holds of the entity and returns their number.
func (s *Server) Release(ref surgical.EntityRef) int {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	before := len(s.holds)
	s.holds = slices.DeleteFunc(s.holds, func(h *Hold) bool {
		if h.ref == ref {
			h.Release()
		}
		return h.ref == ref
	})
	return before - len(s.holds)
}

// await holds the request if a hold applies to it.
func (s *Server) await(ctx context.Context, ref surgical.EntityRef) error {
	h := s.takeHold(ref)
	if h == nil {
		return nil
	}
	select {
	case <-h.released:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) takeHold(ref surgical.EntityRef) *Hold {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	for _, h := range s.holds {
		if h.ref != ref || h.left == 0 {
			continue
		}
		if h.left--; h.left == 0 {
			close(h.full)
		}
		return h
	}
	return nil
}

// Fault makes some requests fail.
type Fault struct {
	// Ref and Endpoint select them; a zero value selects any.
	Ref      surgical.EntityRef
	Endpoint string
	// Requests is the number of requests that fail.
	Requests int
	// Latency delays the response.
	Latency time.Duration
	// Status, if not 0, is returned with Header and Body instead of the truth.
	// Without a body, a 429 says "Retry later", and a 401, 403 or 404 has GitLab's
	// JSON.
	Status int
	Header http.Header
	Body   string
	// Foreign returns Status with an HTML page of something in front of GitLab.
	Foreign bool
	// Truncate closes the connection after half of the body.
	Truncate bool
}

// Inject adds a fault. If several apply to a request, the oldest is used.
func (s *Server) Inject(f Fault) {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	s.faults = append(s.faults, &f)
}

// takeFault returns the fault of the nth request to the endpoint.
func (s *Server) takeFault(ref surgical.EntityRef, endpoint string, n int) Fault {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	for _, f := range s.faults {
		if f.Requests > 0 && (f.Ref == ref || f.Ref == surgical.EntityRef{}) && (f.Endpoint == "" || f.Endpoint == endpoint) {
			f.Requests--
			return *f
		}
	}
	return s.disturb(ref, endpoint, n)
}

// fill adds the body and content type that go with the fault's status.
func (f Fault) fill(header http.Header, resp *response) {
	switch {
	case f.Foreign:
		header.Set("Content-Type", "text/html; charset=utf-8")
		resp.body = []byte("<!DOCTYPE html><html><body>a page of something in front of GitLab</body></html>")
	case f.Body != "":
	case f.Status == http.StatusTooManyRequests:
		header.Set("Content-Type", "text/plain")
		resp.body = []byte("Retry later\n")
	case f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden || f.Status == http.StatusNotFound:
		resp.body = fmt.Appendf(nil, `{"message":"%d %s"}`, f.Status, http.StatusText(f.Status))
	}
}

// write sends the response, changed by the fault.
func (s *Server) write(w http.ResponseWriter, r *http.Request, resp response, f Fault) {
	if f.Latency > 0 {
		select {
		case <-time.After(f.Latency):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if f.Status != 0 {
		resp = response{status: f.Status, header: f.Header, body: []byte(f.Body)}
		f.fill(w.Header(), &resp)
	}
	maps.Copy(w.Header(), resp.header)
	if f.Truncate {
		w.Header().Set("Content-Length", strconv.Itoa(len(resp.body)))
		resp.body = resp.body[:len(resp.body)/2]
	}
	w.WriteHeader(resp.status)
	_, _ = w.Write(resp.body) // the client may have disconnected
	if f.Truncate {
		// Without the flush the client would see no response at all, and its
		// transport would silently retry.
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
