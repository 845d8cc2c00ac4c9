package console

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// View is a kind of page.
type View string

// The views.
const (
	ViewOverview View = "overview"
	ViewRuns     View = "runs"
	ViewRun      View = "run"
	ViewEntity   View = "entity"
	ViewProjects View = "projects"
	ViewProject  View = "project"
)

// Query selects what a page shows. Zero fields select everything, or the default.
type Query struct {
	View View
	// RunID is for [ViewRun], Ref for [ViewEntity].
	RunID string
	Ref   surgical.EntityRef
	// ProjectID is for [ViewProject]; ProjectID and Status select runs.
	ProjectID int64
	Status    surgical.RunStatus
	// Period is when the runs were created: 1h, 24h, 7d, 30d or any.
	Period string
	// From is where a list starts, and Limit how many runs it shows.
	From  ledger.RunPlace
	Limit int
	// After is the project after which a list of projects starts.
	After int64
}

const (
	maxLimit        = 100
	overviewLimit   = 10
	listLimit       = 25
	maxShownOfValue = 60
)

// period is a time span that ends now. A Length of 0 means no beginning.
type period struct {
	Name   string
	Words  string
	Length time.Duration
}

func periods() []period {
	return []period{
		{"1h", "the last hour", time.Hour},
		{"24h", "the last 24 hours", 24 * time.Hour},
		{"7d", "the last 7 days", 7 * 24 * time.Hour},
		{"30d", "the last 30 days", 30 * 24 * time.Hour},
		{"any", "any time", 0},
	}
}

// phrase returns the period for use in a sentence.
func (p period) phrase() string {
	if p.Length == 0 {
		return "at any time"
	}
	return "in " + p.Words
}

// since returns the beginning of a period that ends now, or the zero time.
func (p period) since(now time.Time) (begin time.Time) {
	if p.Length > 0 {
		begin = now.Add(-p.Length)
	}
	return begin
}

// periodNamed returns the period with the name, or the zero value.
func periodNamed(name string) period {
	for _, p := range periods() {
		if p.Name == name {
			return p
		}
	}
	return period{}
}

// parameters are the unparsed parameters of a query, by name.
type parameters map[string]string

// known returns the names of all parameters.
func known() []string {
	return []string{"view", "run_id", "project_id", "type", "iid", "status", "period", "cursor", "limit", "after"}
}

// unknown returns the names of unknown parameters, sorted.
func (p parameters) unknown() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(p)), func(name string) bool { return slices.Contains(known(), name) })
}

// parser collects everything that is wrong with parameters.
type parser struct {
	parameters
	wrong []string
}

// query reads the parameters. What is wrong with them is one
// [surgical.CodeInvalidRequest] error that names the offending values.
func (p parameters) query() (Query, error) {
	r := &parser{parameters: p}
	q := Query{
		View:      View(r.oneOf("view", string(ViewOverview), string(ViewRuns), string(ViewRun), string(ViewEntity), string(ViewProjects), string(ViewProject))),
		ProjectID: r.number("project_id"),
		Status:    surgical.RunStatus(r.text("status")),
		Period:    r.text("period"),
		From:      r.place("cursor"),
		Limit:     int(r.number("limit")),
		After:     r.number("after"),
	}
	if q.View == "" {
		q.View = ViewOverview
	}
	if q.Status != "" && !slices.Contains(surgical.RunStatuses(), q.Status) {
		r.reject("status", "one of queued, running, succeeded, failed, cancelled")
	}
	if q.Period != "" && periodNamed(q.Period).Name == "" {
		r.reject("period", "one of 1h, 24h, 7d, 30d, any")
	}
	if q.Limit > maxLimit {
		r.reject("limit", fmt.Sprintf("a number from 1 to %d", maxLimit))
	}
	switch q.View {
	case ViewRun:
		if q.RunID = r.text("run_id"); !isRunID(q.RunID) {
			r.reject("run_id", "1 to 64 lowercase letters and digits")
		}
	case ViewProject:
		if q.ProjectID == 0 && r.text("project_id") == "" {
			r.wrong = append(r.wrong, "project_id is missing")
		}
	case ViewEntity:
		q.Ref = surgical.EntityRef{ProjectID: q.ProjectID, Target: surgical.Target{
			Type: surgical.EntityType(r.oneOf("type", string(surgical.Issue), string(surgical.MergeRequest))), IID: r.number("iid"),
		}}
		for name, missing := range map[string]bool{"project_id": q.ProjectID == 0, "type": q.Ref.Type == "", "iid": q.Ref.IID == 0} {
			if missing && r.text(name) == "" {
				r.wrong = append(r.wrong, name+" is missing")
			}
		}
	}
	if len(r.wrong) > 0 {
		slices.Sort(r.wrong)
		return q, surgical.NewError(surgical.CodeInvalidRequest, strings.Join(r.wrong, "; "))
	}
	return q, nil
}

func (r *parser) text(name string) string { return strings.TrimSpace(r.parameters[name]) }

func (r *parser) reject(name, want string) {
	got := r.text(name)
	if runes := []rune(got); len(runes) > maxShownOfValue {
		got = string(runes[:maxShownOfValue]) + "…"
	}
	r.wrong = append(r.wrong, fmt.Sprintf("%s must be %s, got %q", name, want, got))
}

// oneOf returns the value, or "" if it is not one of values.
func (r *parser) oneOf(name string, values ...string) string {
	got := r.text(name)
	if got != "" && !slices.Contains(values, got) {
		r.reject(name, "one of "+strings.Join(values, ", "))
		return ""
	}
	return got
}

// number returns a positive number, or 0 if there is none.
func (r *parser) number(name string) int64 {
	got := r.text(name)
	if got == "" {
		return 0
	}
	n, err := strconv.ParseInt(got, 10, 64)
	if err != nil || n <= 0 {
		r.reject(name, "a positive number")
	}
	return n
}

func isRunID(id string) bool { return regexp.MustCompile(`^[a-z0-9]{1,64}$`).MatchString(id) }

// place parses a cursor: a time in Unix microseconds and a run id.
func (r *parser) place(name string) ledger.RunPlace {
	got := r.text(name)
	if got == "" {
		return ledger.RunPlace{}
	}
	at, id, _ := strings.Cut(got, "-")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil || micros <= 0 || !isRunID(id) {
		r.reject(name, "a cursor from a link on this page")
		return ledger.RunPlace{}
	}
	return ledger.RunPlace{At: time.UnixMicro(micros).UTC(), RunID: id}
}

// arguments are the query's parameters in the JSON of links.
type arguments struct {
	View      View                `json:"view"`
	RunID     string              `json:"run_id,omitempty"`
	ProjectID int64               `json:"project_id,omitempty"`
	Type      surgical.EntityType `json:"type,omitempty"`
	IID       int64               `json:"iid,omitempty"`
	Status    surgical.RunStatus  `json:"status,omitempty"`
	Period    string              `json:"period,omitempty"`
	Cursor    string              `json:"cursor,omitempty"`
	Limit     int                 `json:"limit,omitempty"`
	After     int64               `json:"after,omitempty"`
	Form      bool                `json:"form,omitempty"`
}

func (q Query) arguments() arguments {
	a := arguments{
		View: q.View, RunID: q.RunID, ProjectID: q.ProjectID, Status: q.Status, Period: q.Period, Limit: q.Limit, After: q.After,
	}
	if q.View == ViewEntity {
		a.ProjectID, a.Type, a.IID = q.Ref.ProjectID, q.Ref.Type, q.Ref.IID
	}
	if !q.From.IsZero() {
		a.Cursor = fmt.Sprintf("%d-%s", q.From.At.UnixMicro(), q.From.RunID)
	}
	return a
}

// path returns the path of the query's page in the site; "/" if only the widget has it.
func (q Query) path() string {
	switch q.View {
	case ViewRun:
		return "/runs/" + q.RunID
	case ViewEntity:
		return fmt.Sprintf("/projects/%d/%ss/%d", q.Ref.ProjectID, q.Ref.Type, q.Ref.IID)
	case ViewProjects:
		return "/projects"
	case ViewProject:
		return fmt.Sprintf("/projects/%d", q.ProjectID)
	case ViewRuns:
		if q.ProjectID != 0 {
			return fmt.Sprintf("/runs?project_id=%d", q.ProjectID)
		}
		return "/runs"
	}
	return "/"
}
