package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/room"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// pageSize is the largest page size that GitLab supports.
	pageSize = 100
	// pagesAtOnce limits how many pages of one list are requested concurrently.
	pagesAtOnce = 4
	// maxReadings is how often a list is read from its start within one fetch,
	// until it is known to be complete.
	maxReadings = 3
)

// place is where a page of a list is: its number, or the query that a link to the
// next page has in keyset pagination.
type place struct {
	number int64
	cursor string
}

// page is one page of a list.
type page struct {
	place    place
	children []surgical.Child
	// records is how many records came, children or not; leftOut describes those that
	// are not objects.
	records int
	leftOut []string
	bytes   int64
	// total is X-Total, or -1 without one: GitLab omits it above 10,000 records,
	// and a proxy may remove it.
	total int
	pages int64 // X-Total-Pages, or 0 without one
	size  int64 // X-Per-Page, or 0 without one
	// next is the page that the response names as the next one, nil for none.
	next *place
}

// list reads all pages of one list, and again from its start if the reading does
// not show that nothing is missing. It fails with a transient
// [surgical.CodeGitLabUnavailable] if no reading does.
func (c *Client) list(ctx context.Context, path, what string, l listing) (read, error) {
	var doubt string
	for range maxReadings {
		r := reading{client: c, path: path, what: what, listing: l, at: map[string]int{}}
		if err := r.read(ctx); err != nil {
			return read{}, err
		}
		if doubt = r.doubt; doubt == "" {
			return r.result(), nil
		}
		r.drop(ctx)
	}
	return read{}, surgical.NewError(surgical.CodeGitLabUnavailable, fmt.Sprintf("%s: %s; read %d times without a complete list", what, doubt, maxReadings))
}

// read is a list that was read completely.
type read struct {
	children []surgical.Child
	// counted reports that X-Total is the number of records.
	counted bool
	// leftOut describes the records that are not objects.
	leftOut []string
}

// reading is one reading of a list, from its first page to its last.
//
// No header is needed, and none is trusted by itself. The list is complete if
//   - X-Total equals the number of records read, or there is a page after the last
//     that is empty, or, in keyset pagination, a shorter page without a next one, and
//     the first X-Total, if there is one, is not greater than what was read;
//   - and every page but the last has the same records when it is read once more
//     after all others. Otherwise a record that left between two pages may have
//     moved another one to a page that was already read.
//
// So a list of one page takes one request if X-Total is right, and one more to see
// that the next page is empty if there is no such header. A list of n pages takes
// 2n-1, and one more without X-Total.
type reading struct {
	client  *Client
	path    string
	what    string
	listing listing

	pages    []page
	children []surgical.Child
	at       map[string]int // by id, the place of a record among children
	// more is how many records came that are not among the children: what is not an
	// object, and records that came twice within a page, such as two without an id.
	more int
	// doubt says why the list may be incomplete; empty if it is complete.
	doubt string
}

// read reads the list. It leaves a doubt if the list may be incomplete.
func (r *reading) read(ctx context.Context) error {
	first, err := r.client.page(ctx, r.path, r.what, r.listing.kind, place{number: 1})
	if err != nil {
		return err
	}
	if first.total > surgical.MaxEntityRecords {
		return tooLarge("%s: GitLab reports %d records; the limit of one entity is %d", r.what, first.total, surgical.MaxEntityRecords)
	}
	if first.pages > surgical.MaxListPages {
		return tooManyPages(r.what, first.pages)
	}
	r.add(first)
	if first.records == 0 && first.next == nil && (first.total < 0 || r.listing.filtered && first.total > 0) {
		return r.reread(ctx, 1) // an empty list without a total is read once more
	}
	// All but the last page may be read in any order. The last must come after
	// them, see reread.
	if first.pages > 2 {
		rest, err := r.client.pageRange(ctx, r.path, r.what, r.listing.kind, 2, first.pages-1)
		if err != nil {
			return err
		}
		for _, p := range rest {
			r.add(p)
		}
	}
	for r.doubt == "" {
		next, more := r.following()
		if !more {
			break
		}
		if pages := max(int64(len(r.pages)+1), next.number); pages > surgical.MaxListPages {
			return tooManyPages(r.what, pages)
		}
		p, err := r.client.page(ctx, r.path, r.what, r.listing.kind, next)
		if err != nil {
			return err
		}
		r.add(p)
	}
	if r.doubt != "" {
		return nil
	}
	return r.reread(ctx, r.filled()-1)
}

// drop gives back what the reading took of the fetch's budget.
func (r *reading) drop(ctx context.Context) {
	for _, p := range r.pages {
		budgetOf(ctx).giveBack(p)
	}
}

// result is what was read, once nothing is missing.
func (r *reading) result() read {
	result := read{children: r.children, counted: r.pages[len(r.pages)-1].total == r.count()}
	for _, p := range r.pages {
		result.leftOut = append(result.leftOut, p.leftOut...)
	}
	return result
}

// count is how many records of the list were read.
func (r *reading) count() int { return len(r.children) + r.more }

// total is the first X-Total of the reading, or -1 without one. What arrived later may
// be on a page that was read before.
func (r *reading) total() int {
	for _, p := range r.pages {
		if p.total >= 0 {
			return p.total
		}
	}
	return -1
}

// add appends a page. A record that came before is kept once, as read last.
func (r *reading) add(p page) {
	known, before := len(r.children), r.count()
	r.more += p.records - len(p.children)
	for _, child := range p.children {
		if i, twice := r.at[child.ID]; twice {
			if i >= known {
				r.more++
			}
			r.children[i] = child
			continue
		}
		r.at[child.ID] = len(r.children)
		r.children = append(r.children, child)
	}
	switch {
	case len(r.pages) > 0 && p.records > 0 && r.count() == before:
		r.doubt = "a further page has only records of the pages before; GitLab's pages form a loop, or a proxy does not pass the page number on"
	case p.records == 0 && p.next != nil && !r.listing.filtered:
		r.doubt = "an empty page names a next one"
	}
	if len(r.pages) > 0 && p.total >= 0 && p.total < r.pages[0].total {
		r.doubt = "it changed while it was read"
	}
	r.pages = append(r.pages, p)
}

// following returns the page to read next, or false if the pages read so far end
// the list. It leaves a doubt if records are missing.
func (r *reading) following() (place, bool) {
	last := r.pages[len(r.pages)-1]
	byNumber := place{number: last.place.number + 1}
	switch {
	case last.next != nil && last.next.cursor != "":
		return *last.next, true
	case last.next != nil && last.next.number > 0 && last.next.number <= last.place.number:
		r.doubt = "GitLab's links to the next page form a loop"
		return place{}, false
	case last.next != nil && last.place.cursor == "":
		if last.next.number > surgical.MaxListPages {
			return *last.next, true // refused by the caller
		}
		return byNumber, true
	case last.place.cursor != "", last.records == 0:
		// Links named all pages so far and there is no further one, or an empty page
		// ended the list: unless GitLab counts more.
		if total := r.total(); !r.listing.filtered && total > r.count() {
			r.doubt = fmt.Sprintf("GitLab counts %d records and shows %d", total, r.count())
		}
		return place{}, false
	case r.listing.filtered:
		covered := last.size > 0 && last.total >= 0 && last.place.number*last.size >= int64(last.total)
		return byNumber, !covered
	default:
		return byNumber, last.total != r.count()
	}
}

// filled returns how many pages up to the last that has records there are.
func (r *reading) filled() int {
	n := len(r.pages)
	for n > 1 && r.pages[n-1].records == 0 {
		n--
	}
	return n
}

// reread reads the first n pages once more and compares their records. If they
// are unchanged, they also had these records when the page after them was read.
func (r *reading) reread(ctx context.Context, n int) error {
	if last := r.pages[len(r.pages)-1]; last.place.cursor != "" {
		// Keyset pages do not shift. A full last page without a link is read again
		// to see that the link was not lost.
		if last.records < r.pages[0].records {
			return nil
		}
		return r.compare(ctx, []page{last})
	}
	if n <= 0 {
		return nil
	}
	return r.compare(ctx, r.pages[:n])
}

func (r *reading) compare(ctx context.Context, pages []page) error {
	// What is read again is not kept, so it takes nothing from the run's share, and
	// waits if too much is being read again.
	ctx, spent := withBudget(room.With(ctx, nil), budgetOf(ctx).ref)
	changed := make([]bool, len(pages))
	err := r.client.limited(ctx, r.what, len(pages), func(ctx context.Context, i int) error {
		if err := r.client.rereads.Acquire(ctx, pages[i].bytes); err != nil {
			return failure(r.what, refusal{}, nil, err, r.client.clock())
		}
		defer r.client.rereads.Release(pages[i].bytes)
		again, err := r.client.page(ctx, r.path, r.what, r.listing.kind, pages[i].place)
		if err != nil {
			return err
		}
		same := again.records == pages[i].records && slices.EqualFunc(again.children, pages[i].children, func(a, b surgical.Child) bool { return a.ID == b.ID })
		changed[i] = !same || (again.next == nil) != (pages[i].next == nil) && pages[i].place.cursor != ""
		spent.giveBack(again)
		return nil
	})
	if err != nil {
		return err
	}
	if slices.Contains(changed, true) {
		r.doubt = "it changed while it was read"
	}
	return nil
}

func tooManyPages(what string, pages int64) *surgical.Error {
	return tooLarge("%s: %d or more pages; the limit of one list is %d", what, pages, surgical.MaxListPages)
}

func tooLargeRecord(what string, size int) *surgical.Error {
	return tooLarge("%s: a record of %d bytes; the limit of one record is %d", what, size, surgical.MaxRecordBytes)
}

// pageRange reads the pages from first to last, a few at a time.
func (c *Client) pageRange(ctx context.Context, path, what string, kind surgical.ChildKind, first, last int64) ([]page, error) {
	all := make([]page, last-first+1)
	err := c.limited(ctx, what, len(all), func(ctx context.Context, i int) (err error) {
		all[i], err = c.page(ctx, path, what, kind, place{number: first + int64(i)})
		return err
	})
	return all, err
}

// limited runs n tasks, [pagesAtOnce] at a time.
func (c *Client) limited(ctx context.Context, what string, n int, task func(ctx context.Context, i int) error) error {
	slots := make(chan struct{}, pagesAtOnce)
	tasks := make([]func(context.Context) error, n)
	for i := range tasks {
		tasks[i] = func(ctx context.Context) error {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				return failure(what, refusal{}, nil, ctx.Err(), c.clock())
			}
			return task(ctx, i)
		}
	}
	if err := together(ctx, tasks); err != nil {
		return err
	}
	return nil
}

func (c *Client) page(ctx context.Context, path, what string, kind surgical.ChildKind, at place) (page, error) {
	raw, resp, err := c.get(ctx, path, what, at.query())
	if err != nil {
		return page{}, err
	}
	records, ok := recordsOf(raw)
	if !ok {
		return page{}, notJSON(what, resp)
	}
	if err := budgetOf(ctx).takeRecords(len(records)); err != nil {
		return page{}, err
	}
	p := page{children: make([]surgical.Child, 0, len(records)), records: len(records), bytes: int64(len(raw)), place: at, total: total(resp.header), pages: numberOf(resp.header, "X-Total-Pages"), size: numberOf(resp.header, "X-Per-Page"), next: nextPlace(resp)}
	for i, raw := range records {
		if len(raw) > surgical.MaxRecordBytes {
			return page{}, tooLargeRecord(what, len(raw))
		}
		id, ok := record.Name(raw)
		if !ok {
			p.leftOut = append(p.leftOut, fmt.Sprintf("record %d of a page of %ss is left out: it is %s", i+1, kind, record.KindOf(raw)))
			continue
		}
		p.children = append(p.children, surgical.Child{Kind: kind, ID: id, Raw: raw})
	}
	return p, nil
}

func total(h http.Header) int {
	n, err := strconv.Atoi(h.Get("X-Total"))
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// numberOf returns the number in a header, 0 without one. One that is too large counts as
// the largest, which is beyond every limit.
func numberOf(h http.Header, name string) int64 {
	n, _ := strconv.ParseInt(h.Get(name), 10, 64)
	return n
}

// query returns the parameters that request the page.
func (p place) query() url.Values {
	if p.cursor != "" {
		q, _ := url.ParseQuery(p.cursor) // without what is malformed
		return q
	}
	return url.Values{"per_page": {strconv.Itoa(pageSize)}, "page": {strconv.FormatInt(p.number, 10)}}
}

// nextPlace returns the page that X-Next-Page or else the next link names, nil for
// none. Of the link it uses only the query, because the link may have an internal
// host behind a proxy.
func nextPlace(resp *response) *place {
	if n := numberOf(resp.header, "X-Next-Page"); n > 0 {
		return &place{number: n}
	}
	link := nextLink(resp.header, resp.url)
	if link == nil || link.RawQuery == "" {
		return nil
	}
	// Go takes a parameter with a bare semicolon for a malformed one.
	link.RawQuery = strings.ReplaceAll(link.RawQuery, ";", "%3B")
	if n, err := strconv.ParseInt(link.Query().Get("page"), 10, 64); err == nil && n > 0 {
		return &place{number: n}
	}
	return &place{cursor: link.RawQuery}
}
