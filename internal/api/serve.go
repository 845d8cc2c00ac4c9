package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const keyHeader = "Idempotency-Key"

// outcome is what a request's log line records of its response.
type outcome struct {
	status int
	code   surgical.Code
	cause  error
	runID  string
}

type outcomeKey struct{}

// note records the problem in the response to a request.
func note(ctx context.Context, p *problem.Problem) {
	if o, ok := ctx.Value(outcomeKey{}).(*outcome); ok {
		o.code = p.Code
		if p.Status >= http.StatusInternalServerError {
			o.cause = p
		}
	}
}

// noteRun records the run that a request created or changed.
func noteRun(ctx context.Context, runID string) {
	if o, ok := ctx.Value(outcomeKey{}).(*outcome); ok {
		o.runID = runID
	}
}

// statusWriter records the status.
type statusWriter struct {
	http.ResponseWriter
	outcome *outcome
}

func (w *statusWriter) WriteHeader(status int) {
	if w.outcome.status == 0 {
		w.outcome.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.outcome.status == 0 {
		w.outcome.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap gives [http.ResponseController] the writer beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serve wraps the routes. It responds to unknown routes with a problem, turns a
// panic into an internal error, and logs one line per request. The line holds
// the route's pattern, never the path or the query, and of a panic its place, never
// its value. No answer may be stored or taken for another type: it holds the text of
// GitLab's users.
func (s *server) serve(routesOf func(*url.URL) *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.Clock()
		o := &outcome{}
		ctx, cancel := duration.Reserve(context.WithValue(s.traced(r), outcomeKey{}, o), surgical.AnswerReserve)
		defer cancel()
		r = r.WithContext(ctx)
		out := &statusWriter{w, o}
		out.Header().Set("Cache-Control", "no-store")
		out.Header().Set("X-Content-Type-Options", "nosniff")
		func() {
			defer func() {
				if value := recover(); value != nil {
					writeProblem(out, r, problem.Of(surgical.PanicOf(value)))
				}
			}()
			// Join the values: some servers keep repeated headers apart, the gateway does not.
			if keys := r.Header.Values(keyHeader); len(keys) > 1 {
				r.Header.Set(keyHeader, strings.Join(keys, ","))
			}
			mux := routesOf(r.URL)
			if path.Clean(r.URL.Path) != r.URL.Path {
				writeProblem(out, r, noRoute(mux, r)) // the mux would redirect
				return
			}
			r = encoded(mux, r)
			mux.ServeHTTP(out, r)
		}()
		s.log(r, o, s.Clock().Sub(began).Milliseconds())
	})
}

func (s *server) log(r *http.Request, o *outcome, millis int64) {
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.Int("http_status", o.status), slog.Int64("duration_ms", millis),
	}
	if s.RequestID != nil {
		attrs = append(attrs, slog.String("request_id", s.RequestID(r)))
	}
	if o.runID != "" {
		attrs = append(attrs, slog.String("run_id", o.runID))
	}
	if o.code != "" {
		attrs = append(attrs, slog.String("code", string(o.code)))
	}
	level := slog.LevelInfo
	if o.cause != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", o.cause.Error()))
	}
	s.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// traced is the request's context with its trace, the caller's or a new one.
func (s *server) traced(r *http.Request) context.Context {
	parent := trace.Parse(r.Header.Get(trace.Header))
	if parent == "" && s.NewTrace != nil {
		parent = s.NewTrace(r.Context())
	}
	return trace.With(r.Context(), parent, "")
}

// noRoute distinguishes an unknown path from a method that a path does not support.
func noRoute(mux *http.ServeMux, r *http.Request) *problem.Problem {
	var allowed []string
	if path.Clean(r.URL.Path) == r.URL.Path {
		allowed = methodsOf(mux, r.URL, r.Host)
	}
	if len(allowed) == 0 {
		return problem.WithStatus(http.StatusNotFound, surgical.NewError(surgical.CodeInvalidRequest, "the API has no such path; /openapi.json lists all paths"))
	}
	p := problem.WithStatus(http.StatusMethodNotAllowed, surgical.NewError(surgical.CodeInvalidRequest, "the path does not support this method"))
	p.Header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
	return p
}

// writeProblem responds with a problem outside of any operation.
func writeProblem(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	note(r.Context(), p)
	problem.Write(w, p)
}
