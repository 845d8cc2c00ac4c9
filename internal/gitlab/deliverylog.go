package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// HookEvent is a delivery in the log that GitLab keeps of a hook for 7 days.
type HookEvent struct {
	// ID grows with every delivery.
	ID int64
	// Status is that of the response, 0 if there was none: GitLab could not connect,
	// or waited too long.
	Status int
	// Headers are those of the request, without tokens and signatures. They have the
	// Idempotency-Key.
	Headers http.Header
	// Body is what was delivered. GitLab encodes it anew, removes addresses, and
	// leaves out one that is too large.
	Body json.RawMessage
	// ResponseBody is the beginning of the response.
	ResponseBody string
	// SentAt is when it was sent, as far as the log shows that; zero if it does not.
	SentAt time.Time
}

// Failed reports whether GitLab counts the delivery as failed.
func (e HookEvent) Failed() bool { return e.Status < 200 || e.Status > 399 }

// HookEventPage is one page of a hook's delivery log, newest first.
type HookEventPage struct {
	Events []HookEvent
	// Unavailable says why there is no log, "" if there is one.
	Unavailable string
	// Unreadable counts records that are not deliveries.
	Unreadable int
	Answer
}

// HookEvents reads one page of the deliveries of a hook, with one request for 100 of
// them, successful or not: GitLab has no filter for deliveries without a response.
// A delivery that begins in the meantime moves others to the next page, so an event
// can come twice; none is missed. The cursor is the Next of the page before.
//
// A GitLab before 17.3 has no such log, and GitLab shows it to maintainers and owners
// only. Both is not an error, but [HookEventPage.Unavailable]. Errors are those of
// [Client.Fetch].
func (c *Client) HookEvents(ctx context.Context, owner Owner, hook int64, cursor string) (HookEventPage, error) {
	page := HookEventPage{Answer: Answer{Total: -1}}
	path, err := owner.HooksPath()
	if err != nil {
		return page, err
	}
	at, err := parseOffset(cursor)
	if err != nil {
		return page, err
	}
	what := fmt.Sprintf("deliveries of hook %d of %s", hook, owner)
	var p walked
	traffic, failed := c.exchange(ctx, func(ctx context.Context) (failed *surgical.Error) {
		p, at, failed = c.atOffset(ctx, fmt.Sprintf("%s/%d/events", path, hook), what, at)
		return failed
	})
	page.Requests = int(traffic.Requests)
	switch {
	case failed == nil:
	case errors.Is(failed, errNoRoute):
		page.Unavailable = "this GitLab has no log of deliveries (it came with 17.3)"
		return page, nil
	case failed.Code == surgical.CodeGitLabForbidden:
		page.Unavailable = "the token may not read the deliveries; that needs the Maintainer role in the project, or the Owner role in the group"
		return page, nil
	default:
		return page, failed
	}
	page.Date, page.RateLimit = dateHeader(p.header), rateLimitOf(p.header)
	for _, f := range p.records {
		event, ok := hookEventOf(f)
		if !ok {
			page.Unreadable++
			continue
		}
		page.Events = append(page.Events, event)
	}
	end := offset{at.first + len(p.records), at.size}
	if p.total >= 0 {
		page.Total = max(0, p.total-at.first)
	}
	if len(p.records) > 0 && (p.more || p.total != end.first) {
		end.size = min(end.size, len(p.records)) // GitLab may cap the size of a page
		page.Next = end.String()
	}
	return page, nil
}

// offset is a place in a list that is read by offset: the number of records before it,
// and the size of the pages so far.
type offset struct{ first, size int }

func (o offset) String() string { return fmt.Sprintf("%d/%d", o.first, o.size) }

func parseOffset(cursor string) (offset, error) {
	if cursor == "" {
		return offset{0, pageSize}, nil
	}
	first, size, _ := strings.Cut(cursor, "/")
	n, err1 := strconv.Atoi(first)
	m, err2 := strconv.Atoi(size)
	if err1 != nil || err2 != nil || n < 1 || m < 1 || m > pageSize {
		return offset{}, surgical.NewError(surgical.CodeInvalidRequest, "the cursor is not one of this list; start the list again")
	}
	return offset{n, m}, nil
}

// atOffset reads the page that begins at the offset, as large as its place and the
// limit of a response allow.
func (c *Client) atOffset(ctx context.Context, path, what string, at offset) (p walked, read offset, failed *surgical.Error) {
	for _, size := range append([]int{at.size}, pageSizes()...) {
		if at.first%size != 0 || size > at.size {
			continue
		}
		at.size = size
		p, failed = c.walkedPage(ctx, path, what, order{}, nil, step{page: int64(at.first/size + 1), size: size})
		if failed == nil || failed.Code != surgical.CodeEntityTooLarge {
			break
		}
		at.size-- // and no larger one from here on
	}
	return p, at, failed
}

// ReadHookEvents reads GitLab's JSON of a page of a delivery log; false if it is not
// one.
func ReadHookEvents(raw json.RawMessage) ([]HookEvent, bool) {
	records, ok := recordsOf(raw)
	if !ok {
		return nil, false
	}
	var events []HookEvent
	for _, raw := range records {
		f, _ := record.Read(raw) // what is not an object has no id
		if e, ok := hookEventOf(f); ok {
			events = append(events, e)
		}
	}
	return events, true
}

func hookEventOf(f record.Fields) (HookEvent, bool) {
	e := HookEvent{ID: f.Integer("id"), Headers: http.Header{}, Body: f.Raw("request_data"), ResponseBody: f.Text("response_body")}
	if status, err := strconv.Atoi(f.Text("response_status")); err == nil {
		e.Status = status
	}
	if headers, ok := f.Object("request_headers"); ok {
		for _, name := range headers.Keys() {
			e.Headers.Set(name, headers.Text(name))
		}
	}
	if stamp, err := strconv.ParseInt(e.Headers.Get("webhook-timestamp"), 10, 64); err == nil && stamp > 0 {
		e.SentAt = time.Unix(stamp, 0).UTC()
	} else if headers, ok := f.Object("response_headers"); ok {
		for _, name := range headers.Keys() {
			if strings.EqualFold(name, "Date") {
				date, _ := http.ParseTime(headers.Text(name)) // zero if it is none
				e.SentAt = date.UTC()
			}
		}
	}
	return e, e.ID > 0
}
