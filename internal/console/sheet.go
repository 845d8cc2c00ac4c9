package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// codeNoPage is for paths that no page has.
const codeNoPage surgical.Code = "page_not_found"

// sheet is a page of the site: the data of its templates.
type sheet struct {
	// Status is the page's HTTP status, 0 for 200.
	Status  int
	Title   string
	Now     moment
	Zone    string
	Nav     []link
	Refresh link
	// Version identifies style sheet and script, and Stack names what the console shows.
	Version, Stack string
	// Words is what the search box holds.
	Words string
	// Live is after how many seconds the page is loaded again by itself, 0 for never, and
	// Pace stops that, or begins it again.
	Live int
	Pace *link

	Home     *homeView
	Found    *foundView
	Listed   *listedView
	Thread   *threadView
	Confirm  *confirmView
	Runs     *runsView
	Run      *runView
	Projects *projectsView
	Project  *projectView
	Problem  *problemView
}

// frame adds what every page has.
func (p *sheet) frame(v visit) {
	p.Now, p.Zone = v.moment(v.now), v.zoneName()
	again := *v.URL
	if v.Method == http.MethodPost {
		again = url.URL{Path: "/"}
	}
	p.Refresh = link{Text: "Refresh", Href: again.RequestURI()}
	path := v.URL.Path
	p.Nav = []link{
		link{Text: "Search", Href: "/"}.current(path == "/" || path == "/search"),
		link{Text: "Projects", Href: "/projects"}.current(path == "/projects"),
		link{Text: "Runs", Href: "/runs"}.current(path == "/runs"),
	}
}

// ref is the entity that the path names.
func (v visit) ref(t surgical.EntityType) (surgical.EntityRef, error) {
	project, err := v.projectID()
	if err != nil {
		return surgical.EntityRef{}, err
	}
	iid, err := strconv.ParseInt(v.PathValue("iid"), 10, 64)
	if err != nil || iid <= 0 {
		return surgical.EntityRef{}, invalid("the number of the %s must be positive, got %q", t, v.PathValue("iid"))
	}
	return surgical.EntityRef{ProjectID: project, Target: surgical.Target{Type: t, IID: iid}}, nil
}

func (v visit) projectID() (int64, error) {
	id, err := strconv.ParseInt(v.PathValue("project"), 10, 64)
	if err != nil || id <= 0 {
		return 0, invalid("the project's id must be positive, got %q", v.PathValue("project"))
	}
	return id, nil
}

// invalid is an error that the request caused.
func invalid(format string, args ...any) error {
	return surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf(format, args...))
}

// text is the value of a parameter, the first one if it is given several times.
func (v visit) text(name string) string { return plaintext.Line(v.URL.Query().Get(name)) }

// failed returns the page for an error, and its status.
func (v visit) failed(err error) (int, sheet) {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = surgical.WrapError(apiclient.CodeUnavailable, err, fmt.Sprintf("the API did not answer within %s", patience))
	}
	e := surgical.AsError(err)
	view := &problemView{Code: string(e.Code), Message: plaintext.Line(e.Message), Links: []link{{Text: "Search", Href: "/"}}}
	p := sheet{Title: "This page could not be loaded", Problem: view}
	view.Help = advice.Remedy(e.Action)
	if step, ok := advice.OfCode(e.Code); ok {
		view.Help, view.Command = step.Text, step.Command
	}
	switch e.Code {
	case codeNoPage:
		p.Title, view.Help = "Page not found", "Check the URL."
	case surgical.CodeInvalidRequest:
		p.Title, view.Help = "Invalid request", "Correct what is named above."
	case surgical.CodeRunNotFound:
		p.Title = "Run not found"
	case surgical.CodeEntityNotFound:
		p.Title = "No copy is stored"
	case surgical.CodeEntityGone:
		p.Title = "The copy was removed"
	case surgical.CodeProjectNotAllowed, surgical.CodeProjectUnknown:
		p.Title = "Project not copied"
	case surgical.CodeIndexNotReady:
		p.Title = "The search index is not ready"
	case apiclient.CodeUnavailable:
		p.Title = "The API cannot be reached"
	case apiclient.CodeForbidden:
		p.Title = "The API refused the request"
	case codeForged:
		p.Title, view.Help = "Nothing was done", "Go back, load the page again and press the button there."
	case surgical.CodeInternal:
		if errors.Is(err, e) {
			view.Help = "Try again. If it fails again, the logs of the function api have the cause."
		}
	}
	return statusOf(e.Code), p
}

// statusOf is the HTTP status of a page that failed with the code.
func statusOf(code surgical.Code) int {
	switch code {
	case codeNoPage:
		return http.StatusNotFound
	case codeForged:
		return http.StatusForbidden
	case surgical.CodeInvalidRequest:
		return http.StatusBadRequest
	case apiclient.CodeUnavailable, apiclient.CodeForbidden:
		return http.StatusBadGateway
	}
	return problem.Status(code)
}

// path returns a path with the parameters that have values.
func path(base string, parameters url.Values) string {
	for name, values := range parameters {
		if len(values) == 0 || values[0] == "" {
			delete(parameters, name)
		}
	}
	if len(parameters) == 0 {
		return base
	}
	return base + "?" + parameters.Encode()
}

// entityPath is the path of an entity's page.
func entityPath(ref surgical.EntityRef) string {
	return Query{View: ViewEntity, Ref: ref}.path()
}

// refText is an entity as people write it: group/project#7, or 1#7 if the path is not
// known.
func refText(ref surgical.EntityRef, projectPath string) string {
	sign := "#"
	if ref.Type == surgical.MergeRequest {
		sign = "!"
	}
	return fmt.Sprintf("%s%s%d", cmp.Or(plaintext.Line(projectPath), strconv.FormatInt(ref.ProjectID, 10)), sign, ref.IID)
}

// markOfState is the mark of GitLab's state of an entity.
func markOfState(state string) mark {
	state = plaintext.Line(state)
	switch state {
	case "opened":
		return mark{"open", "good", "ring"}
	case "merged":
		return mark{state, "busy", "check"}
	case "closed":
		return mark{state, "off", "check"}
	}
	return mark{state, "off", "bar"}
}
