package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Project is a project as GitLab names it.
type Project struct {
	ID int64
	// Path is its full path, such as group/subgroup/project. It can change.
	Path string
	// NoIssues and NoMergeRequests report that the project has switched them off:
	// GitLab then refuses the list, or shows an empty one.
	NoIssues, NoMergeRequests bool
}

// Project looks a project up by its id or its full path. GitLab answers a former
// path of a renamed project with a redirect, which is followed, so that Path is the
// present one. Errors are those of [Client.Fetch]: a project that does not exist is
// [surgical.CodeGitLabNotFound], like one that the token may not see.
func (c *Client) Project(ctx context.Context, idOrPath string) (Project, Answer, error) {
	name, err := nameOf("project", idOrPath)
	if err != nil {
		return Project{}, Answer{Total: -1}, err
	}
	what := "project " + idOrPath
	var p Project
	answer := Answer{Total: -1}
	traffic, failed := c.exchange(ctx, func(ctx context.Context) *surgical.Error {
		raw, resp, err := c.get(withPageBudget(ctx, what), "projects/"+name, what, nil)
		if errors.Is(err, errNoRoute) {
			return notGitLab(what)
		}
		if err != nil {
			return surgical.AsError(err)
		}
		var ok bool
		if p, ok = readProject(raw); !ok {
			return notJSON(what, resp)
		}
		answer.Date, answer.RateLimit = dateHeader(resp.header), rateLimitOf(resp.header)
		return nil
	})
	answer.Requests = int(traffic.Requests)
	if failed != nil {
		return Project{}, answer, failed
	}
	return p, answer, nil
}

// ShowsProject reports with a nil error that GitLab shows the project to the token,
// and how many requests that took. Errors are those of [Client.Project].
func (c *Client) ShowsProject(ctx context.Context, projectID int64) (requests int, err error) {
	_, answer, err := c.Project(ctx, strconv.FormatInt(projectID, 10))
	return answer.Requests, err
}

// nameOf returns an id or path as a segment of a request's path.
func nameOf(what, idOrPath string) (string, error) {
	if id, err := strconv.ParseInt(idOrPath, 10, 64); err == nil && id > 0 {
		return strconv.FormatInt(id, 10), nil
	}
	if idOrPath == "" || strings.Trim(idOrPath, "/") != idOrPath || strings.Trim(idOrPath, "-0123456789") == "" {
		return "", surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("%q is not the id or the full path of a %s", idOrPath, what))
	}
	return pathEscape(idOrPath), nil
}

func readProject(raw json.RawMessage) (Project, bool) {
	f, ok := record.Read(raw)
	if !ok {
		return Project{}, false
	}
	return projectOf(f)
}

func projectOf(f record.Fields) (Project, bool) {
	const off = "disabled"
	p := Project{
		ID: f.Integer("id"), Path: f.Text("path_with_namespace"),
		NoIssues: f.Text("issues_access_level") == off, NoMergeRequests: f.Text("merge_requests_access_level") == off,
	}
	return p, p.ID > 0 && p.Path != ""
}

// ProjectPage is one page of a list of projects. A project can come more than once.
type ProjectPage struct {
	Projects []Project
	// Unreadable counts records that name no project.
	Unreadable int
	Answer
}

// GroupProjects reads one page of the projects of a group and its subgroups, without
// those that are only shared with it. The cursor is the Next of the page before, ""
// for the first page. Errors are those of [Client.Project]. A list of n pages takes
// 2n-1 requests, and one more if GitLab does not count the projects.
func (c *Client) GroupProjects(ctx context.Context, group, cursor string) (ProjectPage, error) {
	name, err := nameOf("group", group)
	if err != nil {
		return ProjectPage{Answer: Answer{Total: -1}}, err
	}
	more := url.Values{"include_subgroups": {"true"}, "with_shared": {"false"}, "order_by": {"id"}, "sort": {"asc"}}
	return c.listProjects(ctx, "groups/"+name+"/projects", "projects of group "+group, order{}, more, cursor)
}

// AllProjects is [Client.GroupProjects] for all projects that the token is a member
// of, each once.
func (c *Client) AllProjects(ctx context.Context, cursor string) (ProjectPage, error) {
	return c.listProjects(ctx, "projects", "projects of the token", byID(), url.Values{"membership": {"true"}}, cursor)
}

func (c *Client) listProjects(ctx context.Context, path, what string, o order, more url.Values, cursor string) (ProjectPage, error) {
	records, answer, err := c.walk(ctx, path, what, o, more, cursor)
	page := ProjectPage{Answer: answer}
	for _, f := range records {
		p, ok := projectOf(f)
		if !ok {
			page.Unreadable++
			continue
		}
		page.Projects = append(page.Projects, p)
	}
	return page, err
}
