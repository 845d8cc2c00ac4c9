package model

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// truth is the GitLab of a sequence. It remembers every state of an entity, so
// that a lagging replica can show an old one, and the oracle knows which state
// a fetch saw.
type truth struct {
	server *fakegitlab.Server
	states map[surgical.EntityRef][]state
	// down, if set, is the response to all requests.
	down fault
}

// state is one state of an entity; its number is its index in the list.
type state struct {
	since time.Time
	// responses by the last segment of the path: the list's name, or the iid.
	answers map[string]*httptest.ResponseRecorder
}

func newTruth() *truth {
	return &truth{
		server: fakegitlab.New(fakegitlab.Options{Empty: true, Clock: func() time.Time { return time.Now().UTC() }}),
		states: map[surgical.EntityRef][]state{},
	}
}

// changed records the entity's current state and returns its number.
func (g *truth) changed(ref surgical.EntityRef) int {
	s := state{since: time.Now(), answers: map[string]*httptest.ResponseRecorder{}}
	for _, list := range []string{"", "/discussions", "/resource_state_events", "/resource_label_events", "/resource_milestone_events"} {
		path := pathOf(ref) + list
		answer := httptest.NewRecorder()
		g.server.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path+"?per_page=100&page=1", nil))
		s.answers[path] = answer
	}
	g.states[ref] = append(g.states[ref], s)
	return len(g.states[ref]) - 1
}

func pathOf(ref surgical.EntityRef) string {
	collection := map[surgical.EntityType]string{surgical.Issue: "issues", surgical.MergeRequest: "merge_requests"}[ref.Type]
	project, _, _ := strings.Cut(ref.Key(), "#")
	_, iid, _ := strings.Cut(ref.Target.String(), "#")
	return "/api/v4/projects/" + project + "/" + collection + "/" + iid
}

// answer is a lagging replica's response to a request.
func (g *truth) answer(r *http.Request, f fault, lag time.Duration, record *fetch) (*http.Response, error) {
	if f == none && g.down != none {
		f = g.down
	}
	switch f {
	case failsBefore, failsAfter, throttled, conflicts:
		return nil, errors.New("connection reset by peer")
	case unavailable:
		return response(http.StatusServiceUnavailable, nil, `{"message":"503"}`), nil
	case limited:
		return response(http.StatusTooManyRequests, http.Header{"Retry-After": {"20"}}, "Retry later\n"), nil
	case expired:
		return response(http.StatusUnauthorized, nil, `{"message":"401 Unauthorized"}`), nil
	}
	for ref, states := range g.states {
		if !strings.HasPrefix(r.URL.Path+"/", pathOf(ref)+"/") {
			continue
		}
		n := 0
		for i, s := range states {
			if !s.since.After(time.Now().Add(-lag)) {
				n = i
			}
		}
		record.saw(n)
		kept := states[n].answers[r.URL.Path]
		body := kept.Body.String()
		resp := response(kept.Code, kept.Header(), body)
		if f == cutOff {
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(body[:len(body)/2]), broken{}))
		}
		return resp, nil
	}
	return response(http.StatusNotFound, nil, `{"message":"404 Not found"}`), nil
}

// broken is a body whose connection breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func response(status int, header http.Header, body string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	maps.Copy(h, header)
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1}
}

type fetchKey struct{}

// fetch is the oracle's record of one fetch of one entity.
type fetch struct {
	ref surgical.EntityRef
	// oldest is the oldest state that any of its requests saw.
	oldest int
	begun  bool
	parts  parts
	from   time.Time
	until  time.Time
}

func (f *fetch) saw(n int) {
	if f == nil {
		return
	}
	if !f.begun || n < f.oldest {
		f.oldest, f.begun = n, true
	}
}

// recorded records every fetched snapshot.
func (w *world) recorded(next cloud.Fetch) cloud.Fetch {
	return func(ctx context.Context, ref surgical.EntityRef) (surgical.Snapshot, error) {
		record := &fetch{ref: ref}
		snap, err := next(context.WithValue(ctx, fetchKey{}, record), ref)
		if err == nil {
			record.parts, record.from, record.until = partsOf(snap), snap.FetchedAt, snap.FetchedUntil
			w.mu.Lock()
			w.fetches = append(w.fetches, record)
			w.mu.Unlock()
		}
		return snap, err
	}
}
