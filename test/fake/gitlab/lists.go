package gitlab

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// listRoutes adds the lists of a project's issues and merge requests, and those of
// projects.
func (s *Server) listRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v4/projects/{project}/issues", s.authorized(s.listEntities(surgical.Issue)))
	mux.HandleFunc("GET /api/v4/projects/{project}/merge_requests", s.authorized(s.listEntities(surgical.MergeRequest)))
	mux.HandleFunc("GET /api/v4/projects", s.authorized(s.listProjects))
	mux.HandleFunc("GET /api/v4/groups/{group}", s.authorized(s.showGroup))
	mux.HandleFunc("GET /api/v4/groups/{group}/projects", s.authorized(s.listGroupProjects))
}

// listedMergeRequest is a merge request in a list, which lacks what only the single
// response has.
type listedMergeRequest struct {
	*MergeRequest
	DiffRefs     *struct{} `json:"diff_refs,omitempty"`
	ChangesCount *struct{} `json:"changes_count,omitempty"`
	HeadPipeline *struct{} `json:"head_pipeline,omitempty"`
	User         *struct{} `json:"user,omitempty"`
	Subscribed   *struct{} `json:"subscribed,omitempty"`
}

func (s *Server) listEntities(typ surgical.EntityType) http.HandlerFunc {
	endpoint := map[surgical.EntityType]string{surgical.Issue: "issues", surgical.MergeRequest: "merge_requests"}[typ]
	return func(w http.ResponseWriter, r *http.Request) {
		id, _, ok := s.project(w, r)
		if !ok {
			return
		}
		s.respond(w, r, surgical.EntityRef{ProjectID: id}, endpoint, func() (response, error) { return s.pageOfEntities(r, id, typ) })
	}
}

// respond renders the truth when the request arrives, and only then applies holds
// and faults: a held response is outdated. A list of a project is named by an entity
// reference with only the project.
func (s *Server) respond(w http.ResponseWriter, r *http.Request, ref surgical.EntityRef, endpoint string, render func() (response, error)) {
	n := s.count(ref, endpoint)
	s.mu.Lock()
	resp, err := render()
	s.mu.Unlock()
	switch {
	case err != nil:
		resp = response{status: http.StatusNotFound, header: http.Header{}, body: []byte(`{"message":"404 Not found"}`)}
	case resp.status == 0:
		resp.status = http.StatusOK
	}
	if s.await(r.Context(), ref) != nil {
		return // the client disconnected
	}
	s.write(w, r, resp, s.takeFault(ref, endpoint, n))
}

func badRequest(text string) response {
	return response{status: http.StatusBadRequest, header: http.Header{}, body: fmt.Appendf(nil, `{"error":%q}`, text)}
}

func (s *Server) pageOfEntities(r *http.Request, project int64, typ surgical.EntityType) (response, error) {
	q := r.URL.Query()
	keep, err := filterOf(q)
	if err != nil {
		return badRequest(err.Error()), nil
	}
	by := q.Get("order_by")
	if by == "" {
		by = "created_at"
	}
	compare, known := orders()[by]
	if !known {
		return badRequest("order_by does not have a valid value"), nil
	}
	var found []*entity
	for ref, e := range s.entities {
		if ref.ProjectID == project && ref.Type == typ && !e.hidden && keep(e.common()) {
			found = append(found, e)
		}
	}
	descending := q.Get("sort") != "asc"
	slices.SortFunc(found, func(a, b *entity) int {
		order := compare(a.common(), b.common())
		if descending {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(b.common().ID, a.common().ID))
	})
	if typ == surgical.Issue && q.Get("pagination") == "keyset" {
		return keyset(r, found)
	}
	if typ == surgical.Issue && positive(r, "page", 1)*perPage(r) > unreachable {
		return tooFar("Issue"), nil
	}
	return paginateAs(r, found, listed)
}

// listed is the entity as a list shows it.
func listed(e *entity) any {
	if e.issue != nil {
		return e.issue
	}
	return listedMergeRequest{MergeRequest: e.mergeRequest}
}

// tooFar is what GitLab says beyond the end of offset pagination, for records that
// keyset pagination reaches.
func tooFar(class string) response {
	return response{status: http.StatusMethodNotAllowed, header: http.Header{}, body: fmt.Appendf(nil,
		`{"error":"Offset pagination has a maximum allowed offset of %d for requests that return objects of type %s. Remaining records can be retrieved using keyset pagination."}`, unreachable, class)}
}

func orders() map[string]func(a, b *Common) int {
	return map[string]func(a, b *Common) int{
		"created_at": func(a, b *Common) int { return compareTimes(a.CreatedAt, b.CreatedAt) },
		"updated_at": func(a, b *Common) int { return compareTimes(a.UpdatedAt, b.UpdatedAt) },
		"title":      func(a, b *Common) int { return cmp.Compare(a.Title, b.Title) },
	}
}

// compareTimes sorts null last, as Postgres does.
func compareTimes(a, b Time) int {
	switch {
	case a.IsZero() || b.IsZero():
		return cmp.Compare(boolean(a.IsZero()), boolean(b.IsZero()))
	default:
		return a.Compare(b.Time)
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// filterOf reads the parameters that select entities. Both ends of a range are
// inclusive, and a null is in none.
func filterOf(q url.Values) (func(*Common) bool, error) {
	var tests []func(*Common) bool
	for name, at := range map[string]func(*Common) Time{
		"updated": func(c *Common) Time { return c.UpdatedAt }, "created": func(c *Common) Time { return c.CreatedAt },
	} {
		for _, side := range []struct {
			suffix string
			sign   int
		}{{"_after", 1}, {"_before", -1}} {
			text := q.Get(name + side.suffix)
			if text == "" {
				continue
			}
			bound, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return nil, fmt.Errorf("%s%s is invalid", name, side.suffix)
			}
			tests = append(tests, func(c *Common) bool { return !at(c).IsZero() && side.sign*at(c).Compare(bound) >= 0 })
		}
	}
	if state := q.Get("state"); state != "" && state != "all" {
		tests = append(tests, func(c *Common) bool { return c.State == state })
	}
	if iids := q["iids[]"]; len(iids) > 0 {
		tests = append(tests, func(c *Common) bool { return slices.Contains(iids, strconv.FormatInt(c.IID, 10)) })
	}
	return func(c *Common) bool {
		return !slices.ContainsFunc(tests, func(test func(*Common) bool) bool { return !test(c) })
	}, nil
}

// keyset returns the page after the cursor. Of GitLab's headers it has only the link
// to the next page.
func keyset(r *http.Request, found []*entity) (response, error) {
	q := r.URL.Query()
	if cursor := q.Get("cursor"); cursor != "" {
		id, err := base64.URLEncoding.DecodeString(cursor)
		if err != nil {
			return badRequest("cursor is invalid"), nil
		}
		i := slices.IndexFunc(found, func(e *entity) bool { return strconv.FormatInt(e.common().ID, 10) == string(id) })
		found = found[i+1:]
	}
	size := min(perPage(r), len(found))
	page := make([]any, size)
	for i, e := range found[:size] {
		page[i] = listed(e)
	}
	body, err := json.Marshal(page)
	h := http.Header{}
	if size < len(found) {
		q.Set("cursor", base64.URLEncoding.EncodeToString([]byte(strconv.FormatInt(found[size-1].common().ID, 10))))
		h.Set("Link", fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, r.Host, r.URL.EscapedPath(), q.Encode()))
	}
	return response{header: h, body: body}, err
}

// projectView is a project as lists show it.
func (p *project) view() map[string]any {
	_, name, _ := strings.Cut(p.path, "/")
	level := func(off bool) string {
		if off {
			return "disabled"
		}
		return "enabled"
	}
	return map[string]any{
		"id": p.id, "name": name, "path": name, "path_with_namespace": p.path, "visibility": "private",
		"default_branch": "main", "archived": false, "web_url": webBase + p.path,
		"issues_access_level": level(p.noIssues), "merge_requests_access_level": level(p.noMergeRequests),
	}
}

// seen returns the projects that the token sees, by id.
func (s *State) seen(keep func(*project) bool) []*project {
	var found []*project
	for _, p := range s.projects {
		if !p.hidden && keep(p) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *project) int { return cmp.Compare(a.id, b.id) })
	return found
}

func (s *Server) listProjects(w http.ResponseWriter, r *http.Request) {
	s.respond(w, r, surgical.EntityRef{}, "projects", func() (response, error) {
		after := int64(positive(r, "id_after", 0))
		return paginateAs(r, s.seen(func(p *project) bool { return p.id > after }), func(p *project) any { return p.view() })
	})
}

// group finds the group that the path names, or responds with 404.
func (s *Server) group(w http.ResponseWriter, r *http.Request) (*group, bool) {
	name := r.PathValue("group")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		if !g.hidden && (name == strconv.FormatInt(g.id, 10) || name == g.path) {
			return g, true
		}
	}
	answer(w, http.StatusNotFound, `{"message":"404 Group Not Found"}`)
	return nil, false
}

func (s *Server) showGroup(w http.ResponseWriter, r *http.Request) {
	if g, ok := s.group(w, r); ok {
		reply(w, http.StatusOK, map[string]any{"id": g.id, "full_path": g.path, "name": g.path, "web_url": webBase + "groups/" + g.path})
	}
}

func (s *Server) listGroupProjects(w http.ResponseWriter, r *http.Request) {
	g, ok := s.group(w, r)
	if !ok {
		return
	}
	s.respond(w, r, surgical.EntityRef{}, "group projects", func() (response, error) {
		in := func(p *project) bool {
			rest, found := strings.CutPrefix(p.path, g.path+"/")
			return found && (r.URL.Query().Get("include_subgroups") == "true" || !strings.Contains(rest, "/"))
		}
		return paginateAs(r, s.seen(in), func(p *project) any { return p.view() })
	})
}
