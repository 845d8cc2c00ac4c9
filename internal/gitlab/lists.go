package gitlab

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// ListQuery selects a page of a project's issues or merge requests.
type ListQuery struct {
	// UpdatedAfter lists what changed at this time or later, oldest change first.
	// Milliseconds count. The zero time lists everything, including what has no
	// updated_at, in the order in which it was created: a change moves no record, so
	// each comes once.
	UpdatedAfter time.Time
	// Cursor is the Next of the page before, "" for the first page. It belongs to the
	// same list, with the same UpdatedAfter.
	Cursor string
}

// Entry is what a list says about one issue or merge request.
type Entry struct {
	Ref surgical.EntityRef
	// UpdatedAt is that of a fetch: 1970 if the record has no date at all.
	UpdatedAt      time.Time
	UserNotesCount int64
	// Confidential is also true if the record does not say it in a way that can be
	// understood.
	Confidential bool
	// State is opened, closed, locked or merged.
	State string
	// MovedTo is the id (not the iid) of the issue that this one was moved to, 0 if
	// it was not moved.
	MovedTo int64
}

// ListPage is one page of a project's issues or merge requests. An entity can come
// in several pages of one list, and more often than once if it changes.
type ListPage struct {
	Entries []Entry
	// Unreadable counts records that name no entity of this project.
	Unreadable int
	Answer
}

// ListIssues reads one page of the project's issues, whatever their state, type and
// confidentiality, as far as the token may see them. It sends one request; up to
// four more if the page is larger than [surgical.MaxListPageBytes]. Of a record that is
// larger by itself, long texts are not read.
//
// The list has ended if the page has no Next. That GitLab shows an empty list says
// nothing about what the project had before. Errors are those of [Client.Fetch]; of
// a page that fails, nothing is returned but the number of requests, and its cursor
// can be used again.
func (c *Client) ListIssues(ctx context.Context, project int64, q ListQuery) (ListPage, error) {
	return c.listEntities(ctx, project, surgical.Issue, q)
}

// ListMergeRequests is [Client.ListIssues] for merge requests.
func (c *Client) ListMergeRequests(ctx context.Context, project int64, q ListQuery) (ListPage, error) {
	return c.listEntities(ctx, project, surgical.MergeRequest, q)
}

func (c *Client) listEntities(ctx context.Context, project int64, typ surgical.EntityType, q ListQuery) (ListPage, error) {
	path, what, err := collectionOf(project, typ)
	if err != nil {
		return ListPage{}, err
	}
	o := byDate("created_at", "created_after")
	if !q.UpdatedAfter.IsZero() {
		o = byDate("updated_at", "updated_after")
		if q.Cursor == "" {
			q.Cursor = step{by: o.by, from: max(1, q.UpdatedAfter.UnixMilli()), page: 1, size: pageSize}.String()
		}
	}
	records, answer, walkErr := c.walk(ctx, path, what, o, everything(), q.Cursor)
	page := ListPage{Answer: answer}
	for _, f := range records {
		entry, ok := entryOf(f, project, typ)
		if !ok {
			page.Unreadable++
			continue
		}
		page.Entries = append(page.Entries, entry)
	}
	return page, walkErr
}

// everything are the parameters of a list that leaves nothing out.
func everything() url.Values { return url.Values{"state": {"all"}, "scope": {"all"}} }

func collectionOf(project int64, typ surgical.EntityType) (path, what string, err error) {
	collection := collections()[typ]
	if collection == "" || project <= 0 {
		return "", "", surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("project %d has no list of type %q", project, typ))
	}
	return fmt.Sprintf("projects/%d/%s", project, collection), fmt.Sprintf("%s of project %d", collection, project), nil
}

func entryOf(f record.Fields, project int64, typ surgical.EntityType) (Entry, bool) {
	iid := f.Integer("iid")
	if iid <= 0 || f.Integer("project_id") != project {
		return Entry{}, false
	}
	confidential, err := f.Access("confidential")
	return Entry{
		Ref:            surgical.EntityRef{ProjectID: project, Target: surgical.Target{Type: typ, IID: iid}},
		UpdatedAt:      dateOf(f.Text("updated_at"), f.Text("created_at")),
		UserNotesCount: max(0, f.Integer("user_notes_count")),
		Confidential:   confidential || err != nil,
		State:          f.Text("state"),
		MovedTo:        max(0, f.Integer("moved_to_id")),
	}, true
}

// Count is how many issues or merge requests a project has.
type Count struct {
	N int64
	// AtMost means that GitLab did not count them, because they are more than 10,000:
	// N is then the greatest iid, which counts deleted ones too.
	AtMost bool
	Answer
}

// Count asks GitLab how many issues or merge requests of any state the token sees in
// the project, with one request. Its errors are those of [Client.Fetch].
func (c *Client) Count(ctx context.Context, project int64, typ surgical.EntityType) (Count, error) {
	path, what, err := collectionOf(project, typ)
	if err != nil {
		return Count{}, err
	}
	count := Count{Answer: Answer{Total: -1}}
	traffic, failed := c.exchange(ctx, func(ctx context.Context) *surgical.Error {
		q := everything()
		q.Set("per_page", "1")
		q.Set("order_by", "created_at")
		q.Set("sort", "desc")
		raw, resp, err := c.get(withPageBudget(ctx, what), path, what, q)
		if err != nil {
			return surgical.AsError(err)
		}
		records, ok := recordsOf(raw)
		if !ok {
			return notJSON(what, resp)
		}
		if counted := total(resp.header); counted >= 0 {
			count.N = int64(counted)
		} else if count.AtMost = true; len(records) > 0 {
			f, _ := record.Read(records[0]) // what is not an object has no iid
			count.N = max(0, f.Integer("iid"))
		}
		count.Date, count.RateLimit = dateHeader(resp.header), rateLimitOf(resp.header)
		return nil
	})
	count.Requests = int(traffic.Requests)
	if failed != nil {
		return Count{Answer: count.Answer}, failed
	}
	return count, nil
}
