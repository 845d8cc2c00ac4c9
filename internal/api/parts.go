package api

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// parts are the routes of the API by what their paths begin with, such as projects for
// /v1/projects/{project}. A part is built by the first request for one of its routes: an
// instance of the function serves few of them, and all of them take a twentieth of its
// start.
type parts map[string]func() *http.ServeMux

// group adds routes, which belong to these parts.
type group struct {
	add   func(*routes)
	parts []string
}

// groups returns all groups, in the order of the description.
func (s *server) groups() []group {
	return []group{
		{s.addHealth, []string{"healthz"}},
		{s.addRuns, []string{"sync-runs"}},
		{s.addControl, []string{"sync-runs"}},
		{s.addDrains, []string{"drains"}},
		{s.addEntities, []string{"projects"}},
		{s.addEntityList, []string{"projects"}},
		{s.addListings, []string{"projects"}},
		{s.addWhy, []string{"projects"}},
		{s.addErasures, []string{"projects", "erasures"}},
		{s.addChanges, []string{"changes"}},
		{s.addProjects, []string{"projects", "hides"}},
		{s.addDocuments, []string{"projects"}},
		{s.addBackfills, []string{"backfills"}},
		{s.addReconciles, []string{"reconciles"}},
		{s.addSearch, []string{"search"}},
		{s.addIndex, []string{"index"}},
		{s.addStatus, []string{"status"}},
	}
}

// parts returns all routes.
func (s *server) parts() parts {
	adders := map[string][]func(*routes){}
	for _, g := range s.groups() {
		for _, part := range g.parts {
			adders[part] = append(adders[part], g.add)
		}
	}
	all := parts{partOf(descriptionPath): sync.OnceValue(descriptionMux)}
	for part, adders := range adders {
		all[part] = sync.OnceValue(func() *http.ServeMux { return muxOf(part, adders) })
	}
	return all
}

// muxOf registers the routes of a part.
func muxOf(part string, adders []func(*routes)) *http.ServeMux {
	var found routes
	for _, add := range adders {
		add(&found)
	}
	mux := newMux()
	for _, r := range found {
		if partOf(r.Path) == part {
			mux.HandleFunc(r.pattern(), r.handler())
		}
	}
	return mux
}

func descriptionMux() *http.ServeMux {
	mux := newMux()
	mux.HandleFunc("GET "+descriptionPath, serveDescription())
	return mux
}

// of returns the routes among which that of a request is, if the API has it.
func (p parts) of(u *url.URL) *http.ServeMux {
	if mux, ok := p[partOf(u.EscapedPath())]; ok {
		return mux()
	}
	return newMux()
}

// newMux returns a mux that answers with a problem what it has no route for.
func newMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, noRoute(mux, r)) })
	return mux
}

// partOf returns the segment of an escaped path, or of a route's, by which its part is found:
// the first, after that of the version. Segments are compared unescaped, as by
// [http.ServeMux].
func partOf(path string) string {
	segment, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if unescaped(segment) == "v1" {
		segment, _, _ = strings.Cut(rest, "/")
	}
	return unescaped(segment)
}

func unescaped(segment string) string {
	plain, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return plain
}
