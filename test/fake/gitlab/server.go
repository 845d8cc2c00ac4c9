package gitlab

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Options configure a [Server].
type Options struct {
	// Clock provides the times of changes; nil for the wall clock.
	Clock func() time.Time
	// Token is the access token that requests must carry, as PRIVATE-TOKEN or
	// bearer token; empty disables authentication.
	Token string
	// Control enables /_demo/, with which another process changes the state.
	Control bool
	// Empty omits the seed.
	Empty bool
	// Unsigned makes it a GitLab whose hooks do not sign and that ignores
	// signing tokens.
	Unsigned bool
	// NoDeliveryLog makes it a GitLab that is too old for the delivery logs of hooks.
	NoDeliveryLog bool
	// LogDelay is how long after a delivery its log shows it: GitLab writes it in a
	// background job.
	LogDelay time.Duration
	// AutoDisable makes it a GitLab that disables hooks whose deliveries fail.
	AutoDisable bool
	// HookClient sends the deliveries of hooks; nil for [http.DefaultTransport].
	HookClient http.RoundTripper
}

// Server serves a [State] as GitLab's REST API does. It is safe for concurrent
// use.
type Server struct {
	*State
	token                                string
	unsigned, noDeliveryLog, autoDisable bool
	logDelay                             time.Duration
	hookClient                           http.RoundTripper
	handler                              http.Handler
	// hookCalls are the times of tests and resends, by project; nil for all groups.
	hookCalls map[*project][]time.Time

	faultsMu    sync.Mutex
	counts      map[string]int
	holds       []*Hold
	faults      []*Fault
	disturbance Disturbance
	disturbed   map[string]int
	budget      budget
}

// New returns a server, seeded unless the options say otherwise.
func New(o Options) *Server {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.HookClient == nil {
		o.HookClient = http.DefaultTransport
	}
	s := &Server{
		State: NewState(o.Clock), token: o.Token, unsigned: o.Unsigned, noDeliveryLog: o.NoDeliveryLog, logDelay: o.LogDelay, autoDisable: o.AutoDisable, hookClient: o.HookClient,
		hookCalls: map[*project][]time.Time{}, counts: map[string]int{}, disturbed: map[string]int{},
	}
	if !o.Empty {
		Seed(s.State)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v4/projects/{project}", s.authorized(s.showProject))
	for _, collection := range []string{"issues", "merge_requests"} {
		mux.HandleFunc("GET /api/v4/projects/{project}/"+collection+"/{iid}", s.authorized(s.showEntity))
		mux.HandleFunc("GET /api/v4/projects/{project}/"+collection+"/{iid}/{list}", s.authorized(s.showList))
	}
	s.listRoutes(mux)
	s.hookRoutes(mux)
	mux.HandleFunc("/api/v4/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, `{"error":"404 Not Found"}`)
	})
	if o.Control {
		s.control(mux)
	}
	s.handler = mux
	return s
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	s.handler.ServeHTTP(w, r)
}

func (s *Server) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("PRIVATE-TOKEN")
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && token == "" {
			token = bearer
		}
		if s.token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 {
			answer(w, http.StatusUnauthorized, `{"message":"401 Unauthorized"}`)
			return
		}
		if s.spend(w) {
			next(w, r)
		}
	}
}

// project resolves an id or an escaped path. It responds to a former path with
// a redirect and to an unknown project with 404, and then returns false.
func (s *Server) project(w http.ResponseWriter, r *http.Request) (int64, string, bool) {
	name := r.PathValue("project")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.projects {
		if p.hidden {
			continue
		}
		if name == strconv.FormatInt(p.id, 10) || name == p.path {
			return p.id, p.path, true
		}
		for _, old := range p.oldPaths {
			if name == old {
				target := strings.Replace(r.URL.EscapedPath(), url.PathEscape(old), strconv.FormatInt(p.id, 10), 1)
				http.Redirect(w, r, (&url.URL{Path: target, RawQuery: r.URL.RawQuery}).String(), http.StatusMovedPermanently)
				return 0, "", false
			}
		}
	}
	answer(w, http.StatusNotFound, `{"message":"404 Project Not Found"}`)
	return 0, "", false
}

func (s *Server) showProject(w http.ResponseWriter, r *http.Request) {
	id, _, ok := s.project(w, r)
	if !ok {
		return
	}
	s.respond(w, r, surgical.EntityRef{ProjectID: id}, "project", func() (response, error) {
		body, err := json.Marshal(s.projects[id].view())
		return response{body: body, header: http.Header{}}, err
	})
}

// ref returns the entity of the request; ok is false if an error response was
// sent.
func (s *Server) ref(w http.ResponseWriter, r *http.Request) (surgical.EntityRef, bool) {
	id, _, ok := s.project(w, r)
	if !ok {
		return surgical.EntityRef{}, false
	}
	typ := surgical.Issue
	if strings.Contains(r.Pattern, "/merge_requests/") {
		typ = surgical.MergeRequest
	}
	iid, err := strconv.ParseInt(r.PathValue("iid"), 10, 64)
	if err != nil || iid <= 0 {
		answer(w, http.StatusBadRequest, `{"error":"iid is invalid"}`)
		return surgical.EntityRef{}, false
	}
	return surgical.EntityRef{ProjectID: id, Target: surgical.Target{Type: typ, IID: iid}}, true
}

func (s *Server) showEntity(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, "entity", func(e *entity) (response, error) {
		body, err := json.Marshal(e.value())
		return response{body: body, header: http.Header{}}, err
	})
}

func (s *Server) showList(w http.ResponseWriter, r *http.Request) {
	list := r.PathValue("list")
	s.show(w, r, list, func(e *entity) (response, error) {
		switch list {
		case "discussions":
			return paginate(r, e.discussions)
		case stateEvents, labelEvents, milestoneEvents:
			return paginate(r, e.events[list])
		default:
			return response{}, errNoSuchList
		}
	})
}

var errNoSuchList = errors.New("no such list")

func (s *Server) show(w http.ResponseWriter, r *http.Request, endpoint string, render func(*entity) (response, error)) {
	ref, ok := s.ref(w, r)
	if !ok {
		return
	}
	s.respond(w, r, ref, endpoint, func() (response, error) {
		e := s.entities[ref]
		if e == nil || e.hidden {
			return response{}, errNoSuchList
		}
		return render(e)
	})
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may have disconnected
}
