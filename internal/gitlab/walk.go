package gitlab

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Answer is what every page of a list comes with.
type Answer struct {
	// Next is where to go on: the cursor of the next page, a short text of printable
	// ASCII, or "" if this page ended the list.
	Next string
	// Total is the number of records from here to the end of the list, or -1 if
	// GitLab did not say: it counts no more than 10,000.
	Total int
	// Date is GitLab's own clock, in whole seconds; zero if it did not say.
	Date      time.Time
	RateLimit RateLimit
	// Requests is how many requests were sent, also for a call that failed.
	Requests int
}

// order is how a list is sorted, so that it can be read by value instead of by page
// number. The zero order is that of a list that can only be read page by page.
type order struct {
	// by is the value of order_by, and after the parameter that lists only records
	// from a value on.
	by, after string
	// exclusive means that records with the value of after itself are left out.
	exclusive bool
	// value returns a record's value, false if it has none that can be used.
	value func(record.Fields) (int64, bool)
	// text returns a value as a parameter.
	text func(int64) string
}

// byDate is an order by a time, which has milliseconds.
func byDate(field, after string) order {
	return order{by: field, after: after,
		value: func(f record.Fields) (int64, bool) {
			t, ok := surgical.ParseTime(f.Text(field))
			return t.UnixMilli(), ok && t.Unix() > 0 // what is not after 1970 is not a date of GitLab's
		},
		text: func(v int64) string { return time.UnixMilli(v).UTC().Format("2006-01-02T15:04:05.000Z07:00") },
	}
}

// byID is the order of a list that has no two records with the same value.
func byID() order {
	return order{by: "id", after: "id_after", exclusive: true,
		value: func(f record.Fields) (int64, bool) { id := f.Integer("id"); return id, id > 0 },
		text:  func(v int64) string { return strconv.FormatInt(v, 10) },
	}
}

// step is one request of a walk.
//
// A walk reads a long list while it changes, without missing a record that stays in
// it. Whatever changes moves to the end of a list by updated_at, so page numbers
// would skip the record that takes the place of another. A walk therefore goes on
// from the last value that it saw, and records with that value are listed again.
// Only if a whole page has one value does it count pages: forward to the last of
// them, and then back to the first. A record that leaves moves all others to smaller
// numbers, so one that the way forward missed is met on the way back. A list without
// an order is read like that as a whole.
type step struct {
	by   string
	from int64 // 0 for the start of the list
	page int64 // among the records from there on
	back bool
	// then is the value to go on from after the way back; 0 in a list without an order,
	// which has ended then.
	then int64
	// read is how many records came with the pages before, and last the fingerprint
	// of the newest of them.
	read int
	last uint32
	size int
}

// pageSizes are the page sizes that are tried in turn if a page is too large.
func pageSizes() []int { return []int{pageSize, 10, 2, 1} }

// smaller and larger return the neighbours of a page size.
func smaller(size int) int {
	sizes := pageSizes()
	return sizes[min(slices.Index(sizes, size)+1, len(sizes)-1)]
}

func larger(size int) int {
	sizes := pageSizes()
	return sizes[max(slices.Index(sizes, size)-1, 0)]
}

func (s step) String() string {
	q := url.Values{}
	put := func(name string, n int64) {
		if n != 0 {
			q.Set(name, strconv.FormatInt(n, 10))
		}
	}
	put("from", s.from)
	if s.by != "" {
		q.Set("by", s.by)
	}
	if s.page > 1 || s.back || s.size != pageSize {
		put("page", s.page)
		put("then", s.then)
		put("read", int64(s.read))
		put("last", int64(s.last))
		put("size", int64(s.size))
	}
	if s.back {
		q.Set("back", "1")
	}
	return q.Encode()
}

// parseStep reads a cursor of a list in this order. A cursor that another version
// wrote may be refused, as [surgical.CodeInvalidRequest].
func parseStep(cursor string, o order) (step, *surgical.Error) {
	s := step{by: o.by, page: 1, size: pageSize}
	if cursor == "" {
		return s, nil
	}
	refused := surgical.NewError(surgical.CodeInvalidRequest, "the cursor is not one of this list; start the list again")
	q, err := url.ParseQuery(cursor)
	if err != nil || q.Get("by") != o.by {
		return step{}, refused
	}
	q.Del("by")
	fields := map[string]func(int64){
		"from": func(n int64) { s.from = n }, "page": func(n int64) { s.page = n }, "then": func(n int64) { s.then = n },
		"read": func(n int64) { s.read = int(n) }, "last": func(n int64) { s.last = uint32(n) },
		"size": func(n int64) { s.size = int(n) }, "back": func(n int64) { s.back = n == 1 },
	}
	for name, values := range q {
		set, known := fields[name]
		n, err := strconv.ParseInt(values[0], 10, 64)
		if !known || len(values) != 1 || err != nil || n < 1 {
			return step{}, refused
		}
		set(n)
	}
	if !slices.Contains(pageSizes(), s.size) || o.value == nil && s.from+s.then != 0 {
		return step{}, refused
	}
	return s, nil
}

// query returns the parameters of the step's request.
func (s step) query(o order, more url.Values) url.Values {
	q := url.Values{"per_page": {strconv.Itoa(s.size)}, "page": {strconv.FormatInt(s.page, 10)}}
	for name, values := range more {
		q[name] = values
	}
	if o.by != "" {
		q.Set("order_by", o.by)
		q.Set("sort", "asc")
	}
	if s.from != 0 {
		q.Set(o.after, o.text(s.from))
	}
	return q
}

// walked is one page of a walk.
type walked struct {
	records []record.Fields
	total   int
	more    bool // the response names a next page
	mark    uint32
	header  http.Header
}

// walk reads the page at the cursor. more are the list's other parameters.
func (c *Client) walk(ctx context.Context, path, what string, o order, more url.Values, cursor string) ([]record.Fields, Answer, error) {
	s, failed := parseStep(cursor, o)
	if failed != nil {
		return nil, Answer{Total: -1}, failed
	}
	var p walked
	traffic, failed := c.exchange(ctx, func(ctx context.Context) (failed *surgical.Error) {
		p, s, failed = c.fitting(ctx, path, what, o, more, s)
		return failed
	})
	answer := Answer{Total: -1, Requests: int(traffic.Requests)}
	if failed != nil {
		return nil, answer, failed
	}
	next, err := s.next(o, p)
	if err != nil {
		e := surgical.NewError(surgical.CodeGitLabUnavailable, what+": "+err.Error())
		if endless := (*surgical.Error)(nil); errors.As(err, &endless) {
			e.Message, e.Action, e.Retryable = what+": "+endless.Message, endless.Action, endless.Retryable
		}
		return nil, answer, e
	}
	if next != nil {
		answer.Next = next.String()
	}
	if p.total >= 0 {
		answer.Total = max(0, p.total-s.read)
	}
	answer.Date, answer.RateLimit = dateHeader(p.header), rateLimitOf(p.header)
	return p.records, answer, nil
}

// fitting reads the step's page. If it is too large, smaller ones are tried, from
// the first record with the step's value on.
func (c *Client) fitting(ctx context.Context, path, what string, o order, more url.Values, s step) (walked, step, *surgical.Error) {
	for {
		p, err := c.walkedPage(ctx, path, what, o, more, s)
		if err == nil || err.Code != surgical.CodeEntityTooLarge || s.size == 1 {
			return p, s, err
		}
		s = step{by: s.by, from: s.from, page: 1, size: smaller(s.size)}
	}
}

func (c *Client) walkedPage(ctx context.Context, path, what string, o order, more url.Values, s step) (walked, *surgical.Error) {
	raw, resp, err := c.get(withPageBudget(ctx, what), path, what, s.query(o, more))
	if s.size == 1 && surgical.CodeOf(err) == surgical.CodeEntityTooLarge {
		raw, resp, err = c.getAbridged(ctx, path, what, s.query(o, more))
	}
	if err != nil {
		return walked{}, surgical.AsError(err)
	}
	records, ok := recordsOf(raw)
	if !ok {
		return walked{}, notJSON(what, resp)
	}
	p := walked{records: make([]record.Fields, 0, len(records)), total: total(resp.header), more: nextPlace(resp) != nil, header: resp.header}
	mark, objects := fnv.New32a(), false
	for _, raw := range records {
		f, ok := record.Read(raw) // what is not an object has no fields, and names nothing
		objects = objects || ok
		mark.Write(raw) // never fails
		p.records = append(p.records, f)
	}
	if len(records) > 0 && !objects {
		return walked{}, notJSON(what, resp)
	}
	p.mark = mark.Sum32()
	return p, nil
}

// next returns the step after one that read p, nil at the end of the list. It fails
// if the page cannot be what was requested.
func (s step) next(o order, p walked) (*step, error) {
	last, err := s.greatest(o, p)
	switch {
	case err != nil:
		return nil, err
	case s.back:
		return s.backward(), nil
	case s.page > 1 && len(p.records) > 0 && p.mark == s.last:
		return nil, fmt.Errorf("a page has the same records as the one before; GitLab's pages form a loop, or a proxy does not pass the page number on")
	}
	read := s.read + len(p.records)
	counted := p.total == read && !p.more
	switch {
	case counted && s.page == 1:
		return nil, nil // all in one response
	case len(p.records) == 0 && p.total > read:
		return nil, fmt.Errorf("GitLab counts %d records and shows %d", p.total, read)
	case last > s.from:
		return s.ended(o, last), nil
	case len(p.records) == 0 && read == 0 && s.page > 1:
		return nil, nil // the second page confirms that the first one is empty
	case counted, len(p.records) == 0 && s.page > 1:
		return s.ended(o, s.from+1), nil
	}
	if s.page*int64(s.size) >= surgical.MaxOffset {
		return nil, permanent(fmt.Sprintf("%d or more records that only page numbers tell apart; GitLab's pagination ends there, so the list is endless, or a proxy changes it", surgical.MaxOffset))
	}
	// All records have the value that the page began with, or none that can be used:
	// only the page number tells them apart.
	return &step{by: s.by, from: s.from, page: s.page + 1, read: read, last: p.mark, size: s.size}, nil
}

// greatest returns the value of the page's last record, or the step's own if no
// record has one.
func (s step) greatest(o order, p walked) (int64, error) {
	last := s.from
	if o.value == nil {
		return last, nil
	}
	for _, f := range p.records {
		v, ok := o.value(f)
		switch {
		case !ok:
			continue
		case v < last || o.exclusive && v == last:
			return 0, fmt.Errorf("the records are not those from the requested %s on, in that order; check for a proxy that changes or drops parameters", o.by)
		}
		last = v
	}
	return last, nil
}

// ended is the step after the last page with the step's value; the next greater one
// is then, or follows it. If there were several pages, they are read once more
// before. What left them in the meantime may have moved to the end of the list, so
// the list has ended only where all the rest comes in one response.
func (s step) ended(o order, then int64) *step {
	if o.value != nil {
		s.then = then
	}
	return s.backward()
}

func (s step) backward() *step {
	switch {
	case s.page > 1:
		return &step{by: s.by, from: s.from, page: s.page - 1, back: true, then: s.then, size: s.size}
	case s.then != 0:
		return &step{by: s.by, from: s.then, page: 1, size: larger(s.size)}
	default:
		return nil
	}
}
