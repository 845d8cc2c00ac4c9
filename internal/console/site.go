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

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// SiteOptions configure [NewSite]. All fields except Zone are required.
type SiteOptions struct {
	// API is where the site reads everything, and starts runs. Stack says for people
	// which one it is.
	API   *apiclient.Client
	Stack string
	// Markdown renders a text of GitLab as HTML that is safe to show. page is the URL of
	// the page in GitLab that the text is on.
	Markdown func(text, page string) template.HTML
	// NewKey returns a text that nobody can guess.
	NewKey func() string
	Clock  func() time.Time
	// Zone is the time zone of the pages; nil means UTC.
	Zone *time.Location
	// Log receives what no page can show.
	Log *slog.Logger
}

// patience limits how long a page waits for the API, which may have to be called several
// times.
const patience = 40 * time.Second

// site is the console as an HTTP handler.
type site struct {
	SiteOptions
	set   *template.Template
	style []byte
	// version identifies style sheet and script, to bypass caches when they change.
	version string
	// secret is what forms are signed with.
	secret string
	origin *http.CrossOriginProtection
}

// NewSite returns the console. It serves only requests whose Host header is a loopback
// name or address, which protects against DNS rebinding, and accepts a POST only from a
// form of its own.
func NewSite(o SiteOptions) (http.Handler, error) {
	set, err := templates("site.html", "site_home.html", "site_found.html", "site_listed.html", "site_thread.html", "site_confirm.html")
	if err != nil {
		return nil, err
	}
	o.Zone = cmp.Or(o.Zone, time.UTC)
	s := &site{
		SiteOptions: o, set: set, secret: o.NewKey(), origin: http.NewCrossOriginProtection(),
		style: []byte(baseStyle + siteStyle + "@media (prefers-color-scheme: dark) {\n" + darkStyle + "}\n@media (max-width: 720px) {\n" + narrowStyle + narrowSiteStyle + "}\n"),
	}
	sum := sha256.Sum256(append(s.style, script...))
	s.version = hex.EncodeToString(sum[:6])
	return s.guard(s.routes()), nil
}

func (s *site) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console.css", static("text/css; charset=utf-8", s.style))
	mux.HandleFunc("GET /console.js", static("text/javascript; charset=utf-8", script))
	mux.HandleFunc("GET /icon.svg", static("image/svg+xml", []byte(icon)))
	mux.HandleFunc("GET /{$}", s.page(s.home))
	mux.HandleFunc("GET /search", s.page(s.found))
	mux.HandleFunc("GET /projects", s.page(s.projects))
	mux.HandleFunc("GET /projects/{project}", s.page(s.project))
	for _, t := range []surgical.EntityType{surgical.Issue, surgical.MergeRequest} {
		list := fmt.Sprintf("/projects/{project}/%ss", t)
		mux.HandleFunc("GET "+list, s.page(func(ctx context.Context, v visit) (sheet, error) { return s.listed(ctx, v, t) }))
		mux.HandleFunc("GET "+list+"/{iid}", s.page(func(ctx context.Context, v visit) (sheet, error) { return s.thread(ctx, v, t) }))
		mux.HandleFunc("GET "+list+"/{iid}/sync", s.page(func(ctx context.Context, v visit) (sheet, error) { return s.plan(ctx, v, t) }))
		mux.HandleFunc("POST "+list+"/{iid}/sync", s.action(func(ctx context.Context, v visit) (string, error) { return s.sync(ctx, v, t) }))
	}
	mux.HandleFunc("GET /runs", s.page(s.runs))
	mux.HandleFunc("GET /runs/{run}", s.page(s.run))
	mux.HandleFunc("GET /runs/{run}/retry", s.page(s.confirmRetry))
	mux.HandleFunc("POST /runs/{run}/retry", s.action(s.retry))
	mux.HandleFunc("/", s.page(nowhere))
	return mux
}

// nowhere is the page of every other path.
func nowhere(_ context.Context, v visit) (sheet, error) {
	return sheet{}, surgical.NewError(codeNoPage, "no page has the path "+v.URL.Path)
}

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 22 22"><rect width="22" height="22" rx="5" fill="#3340b5"/><path d="M6 4v8.5a4.5 4.5 0 0 0 9 0V11" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/><path d="M12.2 12.8 15 10l2.8 2.8" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`

// guard sets the headers of every response, and rejects other methods and hosts. A panic
// becomes an error page.
func (s *site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
		} {
			w.Header().Set(name, value)
		}
		defer func() {
			if p := recover(); p != nil {
				logs.Panic(r.Context(), s.Log, surgical.PanicOf(p), "path", r.URL.Path)
				s.fail(w, s.visit(r), surgical.NewError(surgical.CodeInternal, "the console failed on this page; what it logged has the cause"))
			}
		}()
		switch {
		case !baseurl.Loopback(&url.URL{Host: r.Host}):
			http.Error(w, "This console is only available at this machine's loopback address.", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
			w.Header().Set("Allow", "GET, HEAD, POST")
			http.Error(w, "This console only knows GET and POST.", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func static(kind string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "max-age=31536000, immutable")
		_, _ = w.Write(body) // fails only if the client has disconnected
	}
}

// visit is a request for a page.
type visit struct {
	*http.Request
	frame
}

func (s *site) visit(r *http.Request) visit {
	return visit{r, frame{now: s.Clock(), zone: s.Zone}}
}

// page serves the page that build makes.
func (s *site) page(build func(context.Context, visit) (sheet, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		v := s.visit(r)
		p, err := build(ctx, v)
		if err != nil {
			s.fail(w, v, err)
			return
		}
		s.write(w, v, cmp.Or(p.Status, http.StatusOK), p)
	}
}

// fail shows why a page could not be built.
func (s *site) fail(w http.ResponseWriter, v visit, err error) {
	status, p := v.failed(err)
	s.write(w, v, status, p)
}

func (s *site) write(w http.ResponseWriter, v visit, status int, p sheet) {
	p.frame(v)
	p.Version, p.Stack = s.version, s.Stack
	body, err := filled(s.set, p)
	if err != nil {
		s.Log.ErrorContext(v.Context(), "page_failed", "path", v.URL.Path, "error", err.Error())
		http.Error(w, "This page could not be rendered. See the console's log for the cause.", http.StatusInternalServerError)
		return
	}
	if p.Live > 0 {
		w.Header().Set("Refresh", fmt.Sprint(p.Live))
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only if the client has disconnected
}
