package gitlab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// control adds the endpoints with which another process changes the truth. All
// take the entity from the query (project, type, iid) and return JSON:
//
//	POST /_demo/hold?requests=5        hold the responses to its next requests
//	GET  /_demo/hold                   how many requests are still awaited
//	POST /_demo/release                release them
//	POST /_demo/note?body=…            comment (discussion=ID for a reply, internal=true)
//	POST /_demo/relabel?add=…&remove=… comma-separated labels
//	POST /_demo/edit?title=…&description=…
//	POST /_demo/state?to=closed        closed, opened or merged
//	POST /_demo/delete
//	POST /_demo/delete_note?note=9031
//	POST /_demo/move?to=2              to the project
//	POST /_demo/hide?hidden=true       out of the token's sight, or false
//	POST /_demo/confidential?to=true   or false
//	POST /_demo/send?note=true         deliver it, or its last note, to the hooks
//	POST /_demo/fault?status=429&requests=1&retry_after=2&latency=1s&truncate=true&endpoint=discussions
//	GET  /_demo/requests               the counters
//
// These take no entity:
//
//	POST /_demo/project?project=2&path=demo/two&hidden=false  add, rename, hide, show
//	POST /_demo/fill?project=1&first=1000&issues=12000        add issues
//	POST /_demo/budget?requests=2000&interval=1m              limit requests; 0 ends that
func (s *Server) control(mux *http.ServeMux) {
	routes := map[string]func(surgical.EntityRef, url.Values) (any, error){
		"POST /_demo/hold": s.controlHold,
		"GET /_demo/hold": func(ref surgical.EntityRef, _ url.Values) (any, error) {
			return map[string]int{"awaited": s.awaited(ref)}, nil
		},
		"POST /_demo/release": func(ref surgical.EntityRef, _ url.Values) (any, error) {
			return map[string]int{"released": s.Release(ref)}, nil
		},
		"POST /_demo/note":         s.controlNote,
		"POST /_demo/relabel":      s.controlRelabel,
		"POST /_demo/edit":         s.controlEdit,
		"POST /_demo/state":        s.controlState,
		"POST /_demo/delete":       s.controlDelete,
		"POST /_demo/delete_note":  s.controlDeleteNote,
		"POST /_demo/move":         s.controlMove,
		"POST /_demo/hide":         s.controlHide,
		"POST /_demo/confidential": s.controlConfidential,
		"POST /_demo/fault":        s.controlFault,
	}
	for pattern, do := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			ref, err := s.controlled(r.URL.Query())
			if err != nil {
				reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
				return
			}
			body, err := do(ref, r.URL.Query())
			if err != nil {
				reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
				return
			}
			reply(w, http.StatusOK, body)
		})
	}
	for pattern, do := range map[string]func(url.Values) (any, error){
		"POST /_demo/project": s.controlProject, "POST /_demo/fill": s.controlFill, "POST /_demo/budget": s.controlBudget,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := do(r.URL.Query())
			if err != nil {
				reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
				return
			}
			reply(w, http.StatusOK, body)
		})
	}
	mux.HandleFunc("POST /_demo/send", func(w http.ResponseWriter, r *http.Request) {
		ref, err := s.controlled(r.URL.Query())
		if err != nil {
			reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
			return
		}
		reply(w, http.StatusOK, map[string]int{"sent": s.Send(r.Context(), ref, r.URL.Query().Get("note") == "true")})
	})
	mux.HandleFunc("GET /_demo/requests", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.Requests()) })
}

func reply(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"message":"the response cannot be encoded"}`)
	}
	answer(w, status, string(raw))
}

func (s *Server) controlled(q url.Values) (surgical.EntityRef, error) {
	ref, err := surgical.ParseEntityRef(q.Get("project") + "#" + q.Get("type") + "#" + q.Get("iid"))
	if err != nil {
		return ref, fmt.Errorf("name the entity by project, type and iid: %w", err)
	}
	if !s.Has(ref) {
		return ref, fmt.Errorf("there is no %s", ref)
	}
	return ref, nil
}

// awaited is the number of requests that the entity's holds still wait for.
func (s *Server) awaited(ref surgical.EntityRef) int {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	n := 0
	for _, h := range s.holds {
		if h.ref == ref {
			n += h.left
		}
	}
	return n
}

func (s *Server) controlHold(ref surgical.EntityRef, q url.Values) (any, error) {
	n, err := strconv.Atoi(q.Get("requests"))
	if err != nil || n < 1 {
		return nil, fmt.Errorf("requests must be a positive number, got %q", q.Get("requests"))
	}
	s.Hold(ref, n)
	return map[string]int{"awaited": n}, nil
}

func (s *Server) controlNote(ref surgical.EntityRef, q url.Values) (any, error) {
	note := Note{Body: q.Get("body"), Internal: q.Get("internal") == "true"}
	if note.Body == "" {
		return nil, fmt.Errorf("body is missing")
	}
	discussion := q.Get("discussion")
	if discussion == "" {
		return map[string]string{"discussion": s.AddDiscussion(ref, note)}, nil
	}
	if !slices.ContainsFunc(s.Discussions(ref), func(d Discussion) bool { return d.ID == discussion }) {
		return nil, fmt.Errorf("there is no discussion %q", discussion)
	}
	return map[string]int64{"note": s.AddNote(ref, discussion, note)}, nil
}

func (s *Server) controlRelabel(ref surgical.EntityRef, q url.Values) (any, error) {
	names := func(key string) []string {
		return strings.FieldsFunc(q.Get(key), func(r rune) bool { return r == ',' })
	}
	s.Relabel(ref, names("add"), names("remove"))
	return map[string]bool{"ok": true}, nil
}

func (s *Server) controlEdit(ref surgical.EntityRef, q url.Values) (any, error) {
	s.Edit(ref, func(c *Common) {
		if q.Has("title") {
			c.Title = q.Get("title")
		}
		if q.Has("description") {
			c.Description = q.Get("description")
		}
	})
	return map[string]bool{"ok": true}, nil
}

func (s *Server) controlState(ref surgical.EntityRef, q url.Values) (any, error) {
	to := q.Get("to")
	if !slices.Contains([]string{"opened", "closed", "merged"}, to) {
		return nil, fmt.Errorf("to must be opened, closed or merged, got %q", to)
	}
	s.SetState(ref, to)
	return map[string]bool{"ok": true}, nil
}

func (s *Server) controlDelete(ref surgical.EntityRef, _ url.Values) (any, error) {
	s.Delete(ref)
	return map[string]bool{"ok": true}, nil
}

func (s *Server) controlDeleteNote(ref surgical.EntityRef, q url.Values) (any, error) {
	id, err := number(q, "note", 1, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	for _, d := range s.Discussions(ref) {
		if slices.ContainsFunc(d.Notes, func(n Note) bool { return n.ID == id }) {
			s.DeleteNote(ref, id)
			return map[string]bool{"ok": true}, nil
		}
	}
	return nil, fmt.Errorf("there is no note %d", id)
}

func (s *Server) controlMove(ref surgical.EntityRef, q url.Values) (any, error) {
	to, err := number(q, "to", 1, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if ref.Type != surgical.Issue || !s.hasProject(to) {
		return nil, fmt.Errorf("only issues move, and there must be a project %d", to)
	}
	return map[string]string{"moved_to": s.Move(ref, to).Key()}, nil
}

func (s *Server) controlHide(ref surgical.EntityRef, q url.Values) (any, error) {
	s.HideEntity(ref, q.Get("hidden") != "false")
	return map[string]bool{"ok": true}, nil
}

func (s *Server) controlConfidential(ref surgical.EntityRef, q url.Values) (any, error) {
	if ref.Type != surgical.Issue {
		return nil, fmt.Errorf("only issues are confidential")
	}
	s.EditIssue(ref, func(i *Issue) { i.Confidential = q.Get("to") != "false" })
	return map[string]bool{"ok": true}, nil
}

func (s *Server) controlProject(q url.Values) (any, error) {
	id, err := number(q, "project", 1, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if path := q.Get("path"); path != "" {
		s.AddProject(id, path)
	}
	if !s.hasProject(id) {
		return nil, fmt.Errorf("there is no project %d; name its path to add it", id)
	}
	if q.Has("hidden") {
		s.HideProject(id, q.Get("hidden") == "true")
	}
	return map[string]bool{"ok": true}, nil
}

func (s *Server) controlFill(q url.Values) (any, error) {
	project, err := number(q, "project", 1, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	first, err := number(q, "first", 1, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	n, err := number(q, "issues", 1, 100_000)
	if err != nil {
		return nil, err
	}
	s.Fill(project, first, int(n))
	return map[string]int64{"added": n}, nil
}

func (s *Server) controlBudget(q url.Values) (any, error) {
	n, err := number(q, "requests", 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	interval, err := time.ParseDuration(cmp.Or(q.Get("interval"), "1m"))
	if err != nil || interval <= 0 {
		return nil, fmt.Errorf("interval must be a duration, got %q", q.Get("interval"))
	}
	s.SetBudget(int(n), interval)
	return map[string]bool{"ok": true}, nil
}

// number reads a parameter that must be a number within the bounds.
func number(q url.Values, name string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(q.Get(name), 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s must be a number from %d to %d, got %q", name, least, most, q.Get(name))
	}
	return n, nil
}

func (s *State) hasProject(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.projects[id] != nil
}

func (s *Server) controlFault(ref surgical.EntityRef, q url.Values) (any, error) {
	f := Fault{Ref: ref, Endpoint: q.Get("endpoint"), Requests: 1, Truncate: q.Get("truncate") == "true", Header: http.Header{}}
	for name, into := range map[string]*int{"requests": &f.Requests, "status": &f.Status} {
		if !q.Has(name) {
			continue
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 1 || n > 999 {
			return nil, fmt.Errorf("%s must be a number from 1 to 999, got %q", name, q.Get(name))
		}
		*into = n
	}
	if q.Has("latency") {
		latency, err := time.ParseDuration(q.Get("latency"))
		if err != nil {
			return nil, fmt.Errorf("latency must be a duration, got %q", q.Get("latency"))
		}
		f.Latency = latency
	}
	if q.Has("retry_after") {
		f.Header.Set("Retry-After", q.Get("retry_after"))
	}
	s.Inject(f)
	return map[string]bool{"ok": true}, nil
}
