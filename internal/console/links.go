package console

import (
	"encoding/json"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// link is a link to the page for a query. The site uses Href; the widget uses
// Endpoint and Params, which is JSON.
type link struct {
	Text, Title      string
	Class            string
	Current          bool
	Href             string
	Endpoint, Params string
}

// to returns a link to the page for the query.
func (f frame) to(text string, q Query) link { return f.with(text, q.path(), q.arguments()) }

// filter returns the link that submits the form, whose fields select the runs.
func (f frame) filter(text string) link {
	return f.with(text, "/runs", arguments{View: ViewRuns, Form: true})
}

func (f frame) with(text, href string, a arguments) link {
	params, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings and numbers always encode
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

// shownOfRunID is how many characters of an id lists show.
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
	return f.to(fmt.Sprintf("Project %d", id), Query{View: ViewProject, ProjectID: id})
}

// webLink returns GitLab's URL of an entity, or "" if it is not an http or https
// URL.
func webLink(address string) string {
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		return address
	}
	return ""
}
