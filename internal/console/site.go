package console

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// SiteOptions configure [NewSite]. All fields except Zone are required.
type SiteOptions struct {
	Ledger Ledger
	// Store provides titles, and counts of what is stored.
	Store Store
	Clock func() time.Time
	// Zone is the time zone of the pages; nil means UTC.
	Zone *time.Location
	Log  *slog.Logger
}

// site is the operations console as an HTTP handler.
type site struct {
	SiteOptions
	reader reader
	set    *template.Template
	style  []byte
	// version identifies the style sheet, to bypass caches when it changes.
	version string
}

// NewSite returns the operations console. It accepts only GET and HEAD, and only
// requests whose Host header is a loopback name or address, which protects against
// DNS rebinding.
func NewSite(o SiteOptions) (http.Handler, error) {
	set, err := templates("site.html")
	if err != nil {
		return nil, err
	}
	o.Zone = cmp.Or(o.Zone, time.UTC)
	s := &site{
		SiteOptions: o, reader: reader{ledger: o.Ledger, store: o.Store}, set: set,
		style: []byte(baseStyle + "@media (prefers-color-scheme: dark) {\n" + darkStyle + "}\n@media (max-width: 720px) {\n" + narrowStyle + "}\n"),
	}
	sum := sha256.Sum256(s.style)
	s.version = hex.EncodeToString(sum[:6])
	mux := http.NewServeMux()
	mux.HandleFunc("/console.css", s.static("text/css; charset=utf-8", s.style))
	mux.HandleFunc("/icon.svg", s.static("image/svg+xml", []byte(icon)))
	mux.HandleFunc("/{$}", s.view(ViewOverview))
	mux.HandleFunc("/runs", s.view(ViewRuns))
	mux.HandleFunc("/runs/{run_id}", s.view(ViewRun))
	mux.HandleFunc("/projects", s.view(ViewProjects))
	mux.HandleFunc("/projects/{project_id}", s.view(ViewProject))
	for _, t := range []surgical.EntityType{surgical.Issue, surgical.MergeRequest} {
		mux.HandleFunc("/projects/{project_id}/"+string(t)+"s/{iid}", s.entity(t))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, Query{}, surgical.NewError(surgical.CodeEntityNotFound, "no page has the path "+r.URL.Path))
	})
	return s.guard(mux), nil
}

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 22 22"><rect width="22" height="22" rx="5" fill="#3340b5"/><path d="M6 4v8.5a4.5 4.5 0 0 0 9 0V11" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/><path d="M12.2 12.8 15 10l2.8 2.8" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`

// guard sets the headers of every response, and rejects other methods and hosts.
func (s *site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
		} {
			w.Header().Set(name, value)
		}
		switch {
		case !baseurl.Loopback(&url.URL{Host: r.Host}):
			http.Error(w, "This console is only available at this machine's loopback address.", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This console is read-only.", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *site) static(kind string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "max-age=31536000, immutable")
		_, _ = w.Write(body) // fails only if the client has disconnected
	}
}

func (s *site) view(v View) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := given(r.URL.Query())
		p["view"] = string(v)
		switch v {
		case ViewRun:
			p["run_id"] = r.PathValue("run_id")
		case ViewProject:
			p["project_id"] = r.PathValue("project_id")
		}
		s.show(w, r, p)
	}
}

func (s *site) entity(t surgical.EntityType) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := given(r.URL.Query())
		p["view"], p["type"], p["project_id"], p["iid"] = string(ViewEntity), string(t), r.PathValue("project_id"), r.PathValue("iid")
		s.show(w, r, p)
	}
}

// given returns the parameters of a URL, with the first value of each.
func given(values url.Values) parameters {
	p := parameters{}
	for name := range values {
		p[name] = values.Get(name)
	}
	return p
}

func (s *site) show(w http.ResponseWriter, r *http.Request, p parameters) {
	q, err := p.query()
	if err != nil {
		s.fail(w, r, q, err)
		return
	}
	shown, err := s.reader.page(r.Context(), s.frame(q), q)
	if err != nil {
		s.fail(w, r, q, err)
		return
	}
	for _, name := range p.unknown() {
		shown.Notices = append(shown.Notices, "The parameter "+plaintext.Line(name)+" is unknown and was ignored.")
	}
	s.write(r.Context(), w, http.StatusOK, shown)
}

// frame returns the site's frame for a query. By default, an overview covers the
// last 24 hours, and other lists any time.
func (s *site) frame(q Query) frame {
	chosen := periodNamed(cmp.Or(q.Period, "any"))
	if q.View == ViewOverview {
		chosen = periodNamed(cmp.Or(q.Period, "24h"))
	}
	f := frame{now: s.Clock(), zone: s.Zone, period: chosen.phrase()}
	f.made = ledger.Span{Since: chosen.since(f.now)}
	return f
}

// fail shows an error page, and logs the error unless the request caused it.
func (s *site) fail(w http.ResponseWriter, r *http.Request, q Query, err error) {
	status := http.StatusServiceUnavailable
	switch surgical.CodeOf(err) {
	case surgical.CodeInvalidRequest:
		status = http.StatusBadRequest
	case surgical.CodeRunNotFound, surgical.CodeEntityNotFound:
		status = http.StatusNotFound
	default:
		s.Log.ErrorContext(r.Context(), "page_failed", "view", q.View, "error", err.Error())
	}
	s.write(r.Context(), w, status, s.frame(q).problem(q, err))
}

func (s *site) write(ctx context.Context, w http.ResponseWriter, status int, p page) {
	body, err := render(s.set, document{Page: p, Style: s.version})
	if err != nil {
		s.Log.ErrorContext(ctx, "page_failed", "view", p.View, "error", err.Error())
		http.Error(w, "This page could not be rendered. See the console's log for the cause.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only if the client has disconnected
}
