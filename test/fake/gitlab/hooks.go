package gitlab

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// Hook is a project's webhook as GitLab shows it: for each token, only whether
// it is set.
type Hook struct {
	ID                       int64   `json:"id"`
	URL                      string  `json:"url"`
	ProjectID                int64   `json:"project_id"`
	PushEvents               bool    `json:"push_events"`
	IssuesEvents             bool    `json:"issues_events"`
	ConfidentialIssuesEvents bool    `json:"confidential_issues_events"`
	MergeRequestsEvents      bool    `json:"merge_requests_events"`
	NoteEvents               bool    `json:"note_events"`
	ConfidentialNoteEvents   bool    `json:"confidential_note_events"`
	EnableSSLVerification    bool    `json:"enable_ssl_verification"`
	AlertStatus              string  `json:"alert_status"` // executable, disabled, temporarily_disabled
	DisabledUntil            *string `json:"disabled_until"`
	TokenPresent             bool    `json:"token_present"`
	SigningTokenPresent      bool    `json:"signing_token_present"`
	CreatedAt                Time    `json:"created_at"`
}

// hookTokens are the request fields that no response contains.
type hookTokens struct {
	Token        *string `json:"token"`
	SigningToken *string `json:"signing_token"`
}

// Hooks returns the project's hooks.
func (s *State) Hooks(projectID int64) []Hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.projects[projectID].hooks)
}

// EditHook changes a hook; it panics if there is none with that id.
func (s *State) EditHook(projectID, id int64, change func(*Hook)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.projects[projectID]
	change(&p.hooks[p.hook(id)])
}

// hook returns the hook's index in the list, or -1.
func (p *project) hook(id int64) int {
	return slices.IndexFunc(p.hooks, func(h Hook) bool { return h.ID == id })
}

func (s *Server) hookRoutes(mux *http.ServeMux) {
	const all, one = "/api/v4/projects/{project}/hooks", "/api/v4/projects/{project}/hooks/{hook}"
	mux.HandleFunc("GET "+all, s.authorized(s.listHooks))
	mux.HandleFunc("POST "+all, s.authorized(s.addHook))
	mux.HandleFunc("GET "+one, s.authorized(s.withHook(func(w http.ResponseWriter, _ *http.Request, p *project, i int) {
		reply(w, http.StatusOK, p.hooks[i])
	})))
	mux.HandleFunc("PUT "+one, s.authorized(s.withHook(s.editHook)))
	mux.HandleFunc("DELETE "+one, s.authorized(s.withHook(func(w http.ResponseWriter, _ *http.Request, p *project, i int) {
		p.hooks = slices.Delete(p.hooks, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	})))
}

func (s *Server) listHooks(w http.ResponseWriter, r *http.Request) {
	id, _, ok := s.project(w, r)
	if !ok {
		return
	}
	resp, err := paginate(r, s.Hooks(id))
	if err != nil {
		reply(w, http.StatusInternalServerError, map[string]string{"message": err.Error()})
		return
	}
	resp.status = http.StatusOK
	s.write(w, r, resp, Fault{})
}

func (s *Server) addHook(w http.ResponseWriter, r *http.Request) {
	id, _, ok := s.project(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	hook := Hook{
		ID: s.nextID, ProjectID: id, PushEvents: true, EnableSSLVerification: true, AlertStatus: "executable", CreatedAt: Time{s.clock()},
	}
	if !s.fill(w, r, &hook) {
		return
	}
	p := s.projects[id]
	p.hooks = append(p.hooks, hook)
	reply(w, http.StatusCreated, hook)
}

func (s *Server) editHook(w http.ResponseWriter, r *http.Request, p *project, i int) {
	hook := p.hooks[i]
	if s.fill(w, r, &hook) {
		p.hooks[i] = hook
		reply(w, http.StatusOK, hook)
	}
}

// fill sets the fields that the request names. It returns false if it has sent
// an error response. A GitLab that does not sign silently ignores the signing
// token.
func (s *Server) fill(w http.ResponseWriter, r *http.Request, hook *Hook) bool {
	kept := *hook
	var raw json.RawMessage
	var tokens hookTokens
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&raw)
	if err == nil {
		err = json.Unmarshal(raw, hook)
	}
	if err == nil {
		err = json.Unmarshal(raw, &tokens)
	}
	if err != nil || hook.URL == "" {
		answer(w, http.StatusBadRequest, `{"error":"url is missing"}`)
		return false
	}
	hook.ID, hook.ProjectID, hook.AlertStatus, hook.DisabledUntil = kept.ID, kept.ProjectID, kept.AlertStatus, kept.DisabledUntil
	hook.TokenPresent, hook.SigningTokenPresent = kept.TokenPresent, kept.SigningTokenPresent
	if tokens.Token != nil {
		hook.TokenPresent = *tokens.Token != ""
	}
	if tokens.SigningToken != nil && !s.unsigned {
		hook.SigningTokenPresent = *tokens.SigningToken != ""
	}
	return true
}

// withHook finds the hook named by the path, under the lock.
func (s *Server) withHook(next func(w http.ResponseWriter, r *http.Request, p *project, i int)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, _, ok := s.project(w, r)
		if !ok {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		p := s.projects[id]
		hook, err := strconv.ParseInt(r.PathValue("hook"), 10, 64)
		if i := p.hook(hook); err == nil && i >= 0 {
			next(w, r, p, i)
			return
		}
		answer(w, http.StatusNotFound, `{"message":"404 Not found"}`)
	}
}
