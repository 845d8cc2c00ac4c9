package gitlab

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Hook is a webhook of a project or a group as GitLab shows it: for each token, only
// whether it is set.
type Hook struct {
	ID                       int64   `json:"id"`
	URL                      string  `json:"url"`
	ProjectID                int64   `json:"project_id,omitempty"`
	GroupID                  int64   `json:"group_id,omitempty"`
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

// hook is a hook with what no response contains.
type hook struct {
	Hook
	token, signingToken string
	// failures is how many deliveries in a row have failed.
	failures int
	log      []HookEvent // newest first
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
	return s.shown(s.projects[projectID].hooks)
}

// GroupHooks returns the hooks of the group with the path.
func (s *State) GroupHooks(path string) []Hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.groups, func(g *group) bool { return g.path == path })
	return s.shown(s.groups[i].hooks)
}

func (s *State) shown(hooks []*hook) []Hook {
	all := make([]Hook, len(hooks))
	for i, h := range hooks {
		all[i] = h.shown(s.clock())
	}
	return all
}

// shown is the hook as it is now: a temporary disablement ends by itself.
func (h *hook) shown(now time.Time) Hook {
	shown := h.Hook
	if until, disabled := h.disabled(now); !disabled && until != nil {
		shown.AlertStatus = "executable"
	}
	return shown
}

// disabled reports whether GitLab delivers nothing to the hook, and until when if
// that ends.
func (h *hook) disabled(now time.Time) (until *time.Time, disabled bool) {
	if h.AlertStatus != "temporarily_disabled" || h.DisabledUntil == nil {
		return nil, h.AlertStatus == "disabled"
	}
	end, err := time.Parse(time.RFC3339, *h.DisabledUntil)
	return &end, err == nil && now.Before(end)
}

// HookTokens returns the signing token and the secret token of the project's hooks, by
// id.
func (s *State) HookTokens(projectID int64) map[int64][2]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	tokens := map[int64][2]string{}
	for _, h := range s.projects[projectID].hooks {
		tokens[h.ID] = [2]string{h.signingToken, h.token}
	}
	return tokens
}

// EditHook changes a hook of the project; it panics if there is none with that id.
func (s *State) EditHook(projectID, id int64, change func(*Hook)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hooks := s.projects[projectID].hooks
	change(&hooks[indexOf(hooks, id)].Hook)
}

// indexOf returns the hook's index in the list, or -1.
func indexOf(hooks []*hook, id int64) int {
	return slices.IndexFunc(hooks, func(h *hook) bool { return h.ID == id })
}

// owner is a project or a group as the owner of hooks.
type owner struct {
	project *project
	group   *group
}

func (o owner) hooks() *[]*hook {
	if o.group != nil {
		return &o.group.hooks
	}
	return &o.project.hooks
}

// ref names the owner for counters and faults.
func (o owner) ref() surgical.EntityRef {
	if o.group != nil {
		return surgical.EntityRef{}
	}
	return surgical.EntityRef{ProjectID: o.project.id}
}

// hookRoutes adds the hooks of projects and groups, and their deliveries.
func (s *Server) hookRoutes(mux *http.ServeMux) {
	for all, find := range map[string]func(http.ResponseWriter, *http.Request) (owner, bool){
		"/api/v4/projects/{project}/hooks": s.projectOwner, "/api/v4/groups/{group}/hooks": s.groupOwner,
	} {
		one := all + "/{hook}"
		mux.HandleFunc("GET "+all, s.ofOwner(find, "hooks", s.listHooks))
		mux.HandleFunc("POST "+all, s.ofOwner(find, "hooks", s.addHook))
		mux.HandleFunc("GET "+one, s.ofOwner(find, "hooks", s.withHook(func(_ *http.Request, _ owner, h *hook) response {
			return jsonResponse(http.StatusOK, h.shown(s.clock()))
		})))
		mux.HandleFunc("PUT "+one, s.ofOwner(find, "hooks", s.withHook(s.editHook)))
		mux.HandleFunc("DELETE "+one, s.ofOwner(find, "hooks", s.withHook(func(_ *http.Request, o owner, h *hook) response {
			*o.hooks() = slices.DeleteFunc(*o.hooks(), func(other *hook) bool { return other == h })
			return response{status: http.StatusNoContent}
		})))
		mux.HandleFunc("GET "+one+"/events", s.ofOwner(find, "hook events", s.withHook(s.listEvents)))
		mux.HandleFunc("POST "+one+"/events/{event}/resend", s.authorized(s.resend(find)))
		mux.HandleFunc("POST "+one+"/test/{trigger}", s.authorized(s.test(find)))
	}
}

func (s *Server) projectOwner(w http.ResponseWriter, r *http.Request) (owner, bool) {
	id, _, ok := s.project(w, r)
	if !ok {
		return owner{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return owner{project: s.projects[id]}, true
}

func (s *Server) groupOwner(w http.ResponseWriter, r *http.Request) (owner, bool) {
	g, ok := s.group(w, r)
	return owner{group: g}, ok
}

// ofOwner responds under the lock with what do returns.
func (s *Server) ofOwner(find func(http.ResponseWriter, *http.Request) (owner, bool), endpoint string, do func(*http.Request, owner) response) http.HandlerFunc {
	return s.authorized(func(w http.ResponseWriter, r *http.Request) {
		o, ok := find(w, r)
		if !ok {
			return
		}
		s.respond(w, r, o.ref(), endpoint, func() (response, error) { return do(r, o), nil })
	})
}

func jsonResponse(status int, body any) response {
	raw, err := json.Marshal(body)
	if err != nil {
		return response{status: http.StatusInternalServerError, body: []byte(`{"message":"500 Internal Server Error"}`)}
	}
	return response{status: status, body: raw}
}

func (s *Server) listHooks(r *http.Request, o owner) response {
	resp, err := paginate(r, s.shown(*o.hooks()))
	if err != nil {
		return jsonResponse(http.StatusInternalServerError, map[string]string{"message": err.Error()})
	}
	return resp
}

func (s *Server) addHook(r *http.Request, o owner) response {
	s.nextID++
	h := &hook{Hook: Hook{ID: s.nextID, PushEvents: true, EnableSSLVerification: true, AlertStatus: "executable", CreatedAt: Time{s.clock()}}}
	if o.group != nil {
		h.GroupID = o.group.id
	} else {
		h.ProjectID = o.project.id
	}
	if !s.fill(r, h) {
		return badRequest("url is missing")
	}
	*o.hooks() = append(*o.hooks(), h)
	return jsonResponse(http.StatusCreated, h.shown(s.clock()))
}

func (s *Server) editHook(r *http.Request, _ owner, h *hook) response {
	edited := *h
	if !s.fill(r, &edited) {
		return badRequest("url is missing")
	}
	*h = edited
	return jsonResponse(http.StatusOK, h.shown(s.clock()))
}

// fill sets the fields that the request names; false if they cannot be. A GitLab
// that does not sign silently ignores the signing token.
func (s *Server) fill(r *http.Request, h *hook) bool {
	kept := h.Hook
	var raw json.RawMessage
	var tokens hookTokens
	err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&raw)
	if err == nil {
		err = json.Unmarshal(raw, &h.Hook)
	}
	if err == nil {
		err = json.Unmarshal(raw, &tokens)
	}
	if err != nil || h.URL == "" {
		return false
	}
	h.ID, h.ProjectID, h.GroupID, h.AlertStatus, h.DisabledUntil, h.CreatedAt = kept.ID, kept.ProjectID, kept.GroupID, kept.AlertStatus, kept.DisabledUntil, kept.CreatedAt
	if tokens.Token != nil {
		h.token = *tokens.Token
	}
	if tokens.SigningToken != nil && !s.unsigned {
		h.signingToken = *tokens.SigningToken
	}
	h.TokenPresent, h.SigningTokenPresent = h.token != "", h.signingToken != ""
	return true
}

// withHook finds the hook that the path names.
func (s *Server) withHook(do func(*http.Request, owner, *hook) response) func(*http.Request, owner) response {
	return func(r *http.Request, o owner) response {
		if h := o.hook(r); h != nil {
			return do(r, o, h)
		}
		return jsonResponse(http.StatusNotFound, map[string]string{"message": "404 Not found"})
	}
}

// hook returns the hook that the path names, or nil.
func (o owner) hook(r *http.Request) *hook {
	id, err := strconv.ParseInt(r.PathValue("hook"), 10, 64)
	if i := indexOf(*o.hooks(), id); err == nil && i >= 0 {
		return (*o.hooks())[i]
	}
	return nil
}
