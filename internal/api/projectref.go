package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// projectRef is a project's id or path, as [surgical.ParseProjectPath] accepts it.
type projectRef string

// Schema implements [huma.SchemaProvider]. Only "." and ".." within a path are left
// to [surgical.ParseProjectPath].
func (projectRef) Schema(huma.Registry) *huma.Schema {
	shortest, longest := 1, surgical.MaxProjectPath
	return &huma.Schema{
		Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest,
		Pattern:            "^([1-9][0-9]{0,15}|[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)+)$",
		PatternDescription: "a project's id, or its path such as group/project",
	}
}

// maxProjectID is the largest id of which every client reads the same number.
const maxProjectID = 1<<53 - 1

// ProjectPath names a project in a URL's path.
type ProjectPath struct {
	Project projectRef `path:"project" example:"1" doc:"GitLab's id of the project, or its current or an earlier path. The slashes of a path may be encoded (group%2Fproject)."`
}

// project returns the id of the project that is named by its id or path at the
// location of the request. The project is on the allow list. Nothing tells a path of
// a project that is not from an unknown one.
func (s *server) project(ctx context.Context, location string, ref projectRef) (int64, error) {
	return s.projectIf(ctx, location, ref, s.Allows)
}

// projectIf is [server.project] with a rule of its own in place of the allow list.
func (s *server) projectIf(ctx context.Context, location string, ref projectRef, allowed func(int64) bool) (int64, error) {
	named := string(ref)
	if id, err := strconv.ParseInt(named, 10, 64); err == nil {
		if id < 1 || id > maxProjectID {
			return 0, invalid(location, named, fmt.Sprintf("expected number between 1 and %d", int64(maxProjectID)))
		}
		if !allowed(id) {
			return id, surgical.NotAllowed(id)
		}
		return id, nil
	}
	path, err := surgical.ParseProjectPath(named)
	if err != nil {
		return 0, invalid(location, named, "it is neither a project's id nor a path such as group/project")
	}
	id, err := s.Projects.ProjectByPath(ctx, path)
	if err != nil {
		return 0, err
	}
	if id == 0 || !allowed(id) {
		return 0, surgical.NewError(surgical.CodeProjectUnknown,
			fmt.Sprintf("no project with the path %s is known. A path becomes known when GitLab first shows the project; until then, use the project's id", path))
	}
	return id, nil
}

// projectsPrefix begins the paths that name a project.
const projectsPrefix = "/v1/projects/"

// encoded returns the request with the slashes of a project's path encoded. The
// gateway decodes paths, so they arrive like any other slash: the project is then the
// shortest path that leaves a route of the API. It is an id, or has two segments at
// least: group/issues is a project, and not the issues of one.
func encoded(mux *http.ServeMux, r *http.Request) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), projectsPrefix)
	if !ok {
		return r
	}
	segments := strings.Split(rest, "/")
	var first *http.Request
	for n := 1; n <= len(segments); n++ {
		u := *r.URL
		u.RawPath = projectsPrefix + strings.Join(append([]string{strings.Join(segments[:n], "%2F")}, segments[n:]...), "/")
		methods := methodsOf(mux, &u, r.Host)
		if len(methods) == 0 {
			continue
		}
		again := r.Clone(r.Context())
		again.URL = &u
		if (n > 1 || projectSegment(segments[0])) && slices.Contains(methods, r.Method) {
			return again
		}
		// It is refused for what the first of them finds wrong.
		first = cmp.Or(first, again)
	}
	return cmp.Or(first, r)
}

// projectSegment reports whether one segment of a URL's path can name a project: by its
// id, or by a path whose slashes are encoded.
func projectSegment(segment string) bool {
	_, err := strconv.ParseInt(segment, 10, 64)
	return err == nil || strings.Contains(strings.ToUpper(segment), "%2F")
}

// methodsOf lists the methods that the API supports for the path.
func methodsOf(mux *http.ServeMux, u *url.URL, host string) (methods []string) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if _, pattern := mux.Handler(&http.Request{Method: method, URL: u, Host: host}); pattern != "/" {
			methods = append(methods, method)
		}
	}
	return methods
}
