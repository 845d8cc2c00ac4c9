package gitlab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	api "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// pageSize is the largest page size that GitLab supports.
	pageSize = 100
	// maxRecords is the limit of GitLab's offset pagination.
	maxRecords = 50_000
	// pagesAtOnce limits how many pages of one list are requested concurrently.
	pagesAtOnce = 4
)

// page is one page of a list.
type page struct {
	children []surgical.Child
	// total is X-Total, or -1 without one: GitLab omits it above 10,000 records.
	total int
	pages int64 // X-Total-Pages, or 0 without one
	next  int64 // number of the next page, or 0 after the last
}

// list reads all pages of one list. Offsets shift when records are added or
// deleted between two requests: a record that appears twice is kept once, as read
// last, and a record that may have been skipped fails the fetch.
func (c *Client) list(ctx context.Context, path, what string, l listing) ([]surgical.Child, error) {
	first, err := c.page(ctx, path, what, l.kind, 1)
	if err != nil {
		return nil, err
	}
	if first.total > maxRecords || first.pages > maxRecords/pageSize {
		return nil, tooMany(what)
	}
	all := []page{first}
	if first.pages > 1 {
		rest, err := c.pageRange(ctx, path, what, l.kind, 2, first.pages)
		if err != nil {
			return nil, err
		}
		all = append(all, rest...)
	}
	for last := all[len(all)-1]; last.next > 0; last = all[len(all)-1] {
		if last.next <= int64(len(all)) {
			return nil, surgical.NewError(surgical.CodeGitLabUnavailable, what+": GitLab's next-page links form a loop")
		}
		if last.next > maxRecords/pageSize {
			return nil, tooMany(what)
		}
		p, err := c.page(ctx, path, what, l.kind, last.next)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return merge(all, what, l)
}

func tooMany(what string) *surgical.Error {
	return permanent(fmt.Sprintf("%s: more than %d records, the limit of GitLab's offset pagination", what, maxRecords))
}

// pageRange reads the pages from first to last, a few at a time.
func (c *Client) pageRange(ctx context.Context, path, what string, kind surgical.ChildKind, first, last int64) ([]page, error) {
	all := make([]page, last-first+1)
	slots := make(chan struct{}, pagesAtOnce)
	tasks := make([]func(context.Context) error, len(all))
	for i := range tasks {
		tasks[i] = func(ctx context.Context) (err error) {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				return failure(what, refusal{}, nil, ctx.Err(), c.clock())
			}
			all[i], err = c.page(ctx, path, what, kind, first+int64(i))
			return err
		}
	}
	if err := together(ctx, tasks); err != nil {
		return nil, err
	}
	return all, nil
}

func (c *Client) page(ctx context.Context, path, what string, kind surgical.ChildKind, number int64) (page, error) {
	raw, resp, err := c.get(ctx, path, what, perPage(number))
	if err != nil {
		return page{}, err
	}
	var records []json.RawMessage
	if json.Unmarshal(raw, &records) != nil || records == nil {
		return page{}, notJSON(what, resp)
	}
	p := page{children: make([]surgical.Child, 0, len(records)), total: total(resp.Header), pages: resp.TotalPages, next: nextPage(resp)}
	for _, raw := range records {
		id, ok := record.Name(raw)
		if !ok {
			return page{}, notJSON(what, resp)
		}
		p.children = append(p.children, surgical.Child{Kind: kind, ID: id, Raw: raw})
	}
	return p, nil
}

// merge joins the pages, or fails if a record may be missing between them.
func merge(all []page, what string, l listing) ([]surgical.Child, error) {
	shifted := surgical.NewError(surgical.CodeGitLabUnavailable, what+" changed between two pages")
	var merged []surgical.Child
	at := map[string]int{}
	for _, p := range all {
		if p.total >= 0 && p.total < all[0].total {
			return nil, shifted
		}
		for _, child := range p.children {
			if i, twice := at[child.ID]; twice {
				merged[i] = child
				continue
			}
			at[child.ID] = len(merged)
			merged = append(merged, child)
		}
	}
	if !l.filtered && len(merged) < all[0].total {
		return nil, shifted
	}
	return merged, nil
}

func total(h http.Header) int {
	n, err := strconv.Atoi(h.Get("X-Total"))
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// nextPage returns X-Next-Page, or else the page number in the next link. It uses
// only the number, because the link may have an internal host behind a proxy.
func nextPage(resp *api.Response) int64 {
	if resp.NextPage > 0 || resp.NextLink == "" {
		return max(resp.NextPage, 0)
	}
	link, err := url.Parse(resp.NextLink)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(link.Query().Get("page"), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}
