package console

import (
	"encoding/json"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// link leads to what a query asks for. Of its address, each place uses its
// own: Href the site; Endpoint and Params, which are JSON, CloudWatch.
type link struct {
	Text, Title      string
	Class            string
	Current          bool
	Href             string
	Endpoint, Params string
}

// to makes a link.
func (f frame) to(text string, q Query) link { return f.with(text, q.path(), q.arguments()) }

// filter makes the link of a form: its fields choose the runs.
func (f frame) filter(text string) link {
	return f.with(text, "/runs", arguments{View: ViewRuns, Form: true})
}

func (f frame) with(text, href string, a arguments) link {
	params, err := json.Marshal(a)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return link{Text: text, Href: href, Endpoint: f.endpoint, Params: string(params)}
}

func (l link) titled(title string) link {
	l.Title = title
	return l
}

func (l link) current(current bool) link {
	l.Current = current
	return l
}

// shownOfRunID is how much of an id tells runs apart in a list.
const shownOfRunID = 10

func (f frame) toRun(id string) link {
	l := f.to(id[:min(len(id), shownOfRunID)], Query{View: ViewRun, RunID: id}).titled("Run " + id)
	l.Class = "lh-mono"
	return l
}

func (f frame) toEntity(ref surgical.EntityRef) link {
	return f.to(named(ref.Target), Query{View: ViewEntity, Ref: ref})
}

func (f frame) toProject(id int64) link {
	return f.to(fmt.Sprintf("Project %d", id), Query{View: ViewRuns, ProjectID: id}).titled("Its runs")
}

// webLink is GitLab's address of an entity, "" if it is none that a browser
// should be led to.
func webLink(address string) string {
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		return address
	}
	return ""
}
