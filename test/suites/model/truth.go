package model

import (
	"bytes"
	"context"
	"encoding/json"
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
	// outOfSight has the entities that the token may not see.
	outOfSight map[surgical.EntityRef]bool
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
		states: map[surgical.EntityRef][]state{}, outOfSight: map[surgical.EntityRef]bool{},
	}
}

// absent remembers that the entity was not there before.
func (g *truth) absent(ref surgical.EntityRef) {
	s := state{answers: map[string]*httptest.ResponseRecorder{}}
	for _, list := range lists() {
		answer := httptest.NewRecorder()
		answer.WriteHeader(http.StatusNotFound)
		_, _ = answer.WriteString(`{"message":"404 Not found"}`)
		s.answers[pathOf(ref)+list] = answer
	}
	g.states[ref] = append(g.states[ref], s)
}

// shows reports whether GitLab shows the entity in the state.
func (g *truth) shows(ref surgical.EntityRef, n int) bool {
	return g.states[ref][n].answers[pathOf(ref)].Code == http.StatusOK
}

// has reports whether GitLab shows the entity now.
func (g *truth) has(ref surgical.EntityRef) bool { return g.shows(ref, len(g.states[ref])-1) }

// shownSince reports whether GitLab shows the entity in every state from the time on.
func (g *truth) shownSince(ref surgical.EntityRef, at time.Time) bool {
	for n := range g.states[ref] {
		last := n == len(g.states[ref])-1
		if (last || g.states[ref][n+1].since.After(at)) && !g.shows(ref, n) {
			return false
		}
	}
	return true
}

// vanished reports whether GitLab did not show the entity in the state or a later
// one. It announces neither that nor that it shows the entity again.
func (g *truth) vanished(ref surgical.EntityRef, from int) bool {
	for n := from; n < len(g.states[ref]); n++ {
		if !g.shows(ref, n) {
			return true
		}
	}
	return false
}

// confidentialSince reports whether the entity is confidential in the state and every
// later one.
func (g *truth) confidentialSince(ref surgical.EntityRef, from int) bool {
	for n := from; n < len(g.states[ref]); n++ {
		if g.shows(ref, n) && !g.confidential(ref, n) {
			return false
		}
	}
	return true
}

// confidential reports whether the entity is confidential in the state.
func (g *truth) confidential(ref surgical.EntityRef, n int) bool {
	var entity struct {
		Confidential bool `json:"confidential"`
	}
	answer := g.states[ref][n].answers[pathOf(ref)]
	return json.Unmarshal(answer.Body.Bytes(), &entity) == nil && entity.Confidential
}

func lists() []string {
	return []string{"", "/discussions", "/resource_state_events", "/resource_label_events", "/resource_milestone_events"}
}

// changed records the entity's current state and returns its number.
func (g *truth) changed(ref surgical.EntityRef) int {
	s := state{since: time.Now(), answers: map[string]*httptest.ResponseRecorder{}}
	for _, list := range lists() {
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
		return response(r, http.StatusServiceUnavailable, nil, `{"message":"503"}`), nil
	case limited:
		return response(r, http.StatusTooManyRequests, http.Header{"Retry-After": {"20"}}, "Retry later\n"), nil
	case expired:
		return response(r, http.StatusUnauthorized, nil, `{"message":"401 Unauthorized"}`), nil
	}
	for ref, states := range g.states {
		if !strings.HasPrefix(r.URL.Path+"/", pathOf(ref)+"/") {
			continue
		}
		notes := strings.HasSuffix(r.URL.Path, "/discussions")
		at := record.shows(notes, time.Now().Add(-lag))
		n := 0
		for i, s := range states {
			if !s.since.After(at) {
				n = i
			}
		}
		record.saw(notes, n)
		kept := states[n].answers[r.URL.Path]
		body := kept.Body.String()
		resp := response(r, kept.Code, kept.Header(), body)
		if f == cutOff {
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(body[:len(body)/2]), broken{}))
		}
		return resp, nil
	}
	answer := httptest.NewRecorder()
	g.server.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, r.URL.Path, nil))
	return response(r, answer.Code, answer.Header(), answer.Body.String()), nil
}

// broken is a body whose connection breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func response(r *http.Request, status int, header http.Header, body string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	maps.Copy(h, header)
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1, Request: r}
}

type fetchKey struct{}

// fetch is the oracle's record of one fetch of one entity.
type fetch struct {
	ref surgical.EntityRef
	// entity and notes are the oldest states that its requests for the notes, and
	// those for all else, saw.
	entity, notes saw
	// lags are how far the two replicas lag that answer it, from first on.
	lags  lags
	first time.Time
	parts parts
	from  time.Time
	until time.Time
}

// lags are those of the replicas that answer one fetch: one has the notes, the
// other all else. They lag beyond the settle time.
type lags struct{ entity, notes time.Duration }

// saw is the oldest state that was seen, if any was.
type saw struct {
	state int
	any   bool
}

// shows returns the time whose state the fetch is shown. A replica that lags
// beyond the settle time stands still for as long as the fetch takes.
func (f *fetch) shows(notes bool, at time.Time) time.Time {
	if f == nil || f.lags == (lags{}) {
		return at
	}
	if notes {
		return f.first.Add(-f.lags.notes)
	}
	return f.first.Add(-f.lags.entity)
}

func (f *fetch) saw(notes bool, n int) {
	if f == nil {
		return
	}
	s := &f.entity
	if notes {
		s = &f.notes
	}
	if !s.any || n < s.state {
		*s = saw{n, true}
	}
}

// oldest is the oldest state that any of its requests saw.
func (f *fetch) oldest() int { return min(f.entity.state, f.notes.state) }

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
