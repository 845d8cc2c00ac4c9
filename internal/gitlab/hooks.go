package gitlab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Owner is the project or group that hooks belong to. Exactly one field is set.
type Owner struct {
	Project int64
	// Group is its id or full path.
	Group string
}

// String names the owner in a message.
func (o Owner) String() string {
	if o.Group != "" {
		return "group " + o.Group
	}
	return fmt.Sprintf("project %d", o.Project)
}

// HooksPath is the path of the owner's hooks in GitLab's API. It fails with
// [surgical.CodeInvalidRequest] if there can be no such owner.
func (o Owner) HooksPath() (string, error) {
	if o.Group == "" {
		name, err := nameOf("project", strconv.FormatInt(o.Project, 10))
		return "projects/" + name + "/hooks", err
	}
	name, err := nameOf("group", o.Group)
	return "groups/" + name + "/hooks", err
}

// Hook is a webhook of a project or a group.
type Hook struct {
	ID  int64
	URL string
	// The events that it is for, see [Hook.Events].
	Issues, ConfidentialIssues, MergeRequests, Notes, ConfidentialNotes, Push bool
	// SigningToken and Token report which of the two tokens are set. GitLab never
	// returns the tokens.
	SigningToken, Token bool
	VerifiesTLS         bool
	// AlertStatus is executable, temporarily_disabled or disabled; "" if this GitLab
	// does not say.
	AlertStatus string
	// DisabledUntil is when a temporary disablement ends, zero without one.
	DisabledUntil time.Time
	// CreatedAt is zero if GitLab does not say.
	CreatedAt time.Time
}

// ReadHook reads GitLab's JSON of a hook; false if it is not one.
func ReadHook(raw json.RawMessage) (Hook, bool) {
	f, ok := record.Read(raw)
	if !ok {
		return Hook{}, false
	}
	return hookOf(f)
}

func hookOf(f record.Fields) (Hook, bool) {
	h := Hook{
		ID: f.Integer("id"), URL: f.Text("url"),
		Issues: f.Flag("issues_events"), ConfidentialIssues: f.Flag("confidential_issues_events"), MergeRequests: f.Flag("merge_requests_events"),
		Notes: f.Flag("note_events"), ConfidentialNotes: f.Flag("confidential_note_events"), Push: f.Flag("push_events"),
		SigningToken: f.Flag("signing_token_present"), Token: f.Flag("token_present"), VerifiesTLS: f.Flag("enable_ssl_verification"),
		AlertStatus: f.Text("alert_status"),
	}
	h.DisabledUntil, _ = surgical.ParseTime(f.Text("disabled_until"))
	h.CreatedAt, _ = surgical.ParseTime(f.Text("created_at"))
	return h, h.ID > 0
}

// Sends reports whether the hook delivers to the address.
func (h Hook) Sends(address string) bool { return baseurl.Same(h.URL, address) }

// Reaches reports whether the hook delivers to the path, at any host: an operator may
// have a domain of their own in front.
func (h Hook) Reaches(path string) bool {
	u, err := url.Parse(h.URL)
	return err == nil && strings.HasSuffix(strings.TrimRight(u.Path, "/"), path)
}

// Events names the events that the hook is for.
func (h Hook) Events() []string {
	events := []string{}
	for _, e := range []struct {
		name string
		on   bool
	}{
		{"issues", h.Issues}, {"confidential_issues", h.ConfidentialIssues}, {"merge_requests", h.MergeRequests},
		{"notes", h.Notes}, {"confidential_notes", h.ConfidentialNotes}, {"push", h.Push},
	} {
		if e.on {
			events = append(events, e.name)
		}
	}
	return events
}

// Findings says what keeps Lorehook's hook from delivering everything, or from doing
// so safely; nil if it is healthy.
func (h Hook) Findings() []string {
	var wrong []string
	for _, event := range []struct {
		name string
		on   bool
	}{
		{"issues_events", h.Issues},
		{"confidential_issues_events", h.ConfidentialIssues},
		{"merge_requests_events", h.MergeRequests},
		{"note_events", h.Notes},
		{"confidential_note_events", h.ConfidentialNotes},
	} {
		if !event.on {
			wrong = append(wrong, event.name+" is off")
		}
	}
	if !h.SigningToken && !h.Token {
		wrong = append(wrong, "no signing token and no secret token is set")
	}
	if !h.VerifiesTLS && strings.HasPrefix(h.URL, "https:") {
		wrong = append(wrong, "SSL verification is off")
	}
	if h.Disabled() {
		text := "disabled by GitLab (" + h.AlertStatus + ")"
		if !h.DisabledUntil.IsZero() {
			text += " until " + h.DisabledUntil.Format(time.RFC3339)
		}
		wrong = append(wrong, text)
	}
	return wrong
}

// Silent says that GitLab does not send what the hook is subscribed to, "" if that
// cannot be seen: the newest change, which happened since the hook was made, is not
// followed by a delivery, although there was time for one. events is the newest page
// of the hook's log.
func (h Hook) Silent(events []HookEvent, changed, now time.Time) string {
	switch {
	case h.Disabled(), changed.IsZero(), h.CreatedAt.IsZero(), !changed.After(h.CreatedAt.Add(surgical.SilentAfter)):
		return ""
	case now.Sub(changed) < surgical.SilentAfter, now.Sub(changed) > deliveryLogKept:
		return ""
	}
	last := time.Time{}
	for _, e := range events {
		if e.SentAt.IsZero() {
			return "" // the log does not say when
		}
		if e.SentAt.After(last) {
			last = e.SentAt
		}
	}
	if last.After(changed.Add(-surgical.SilentAfter)) {
		return ""
	}
	text := "GitLab has sent nothing"
	if !last.IsZero() {
		text += " since " + last.Format(time.RFC3339)
	}
	return fmt.Sprintf("%s, although something changed at %s", text, changed.UTC().Format(time.RFC3339))
}

// deliveryLogKept is how long GitLab keeps deliveries in the log, less a day.
const deliveryLogKept = 6 * 24 * time.Hour

// Disabled reports that GitLab delivers nothing to the hook at present.
func (h Hook) Disabled() bool { return h.AlertStatus != "" && h.AlertStatus != "executable" }

// HookPage is one page of hooks. A hook can come more than once.
type HookPage struct {
	Hooks []Hook
	// Unreadable counts records that are not hooks.
	Unreadable int
	Answer
}

// Hooks reads one page of the owner's hooks. GitLab shows them to maintainers and
// owners only; anyone else gets [surgical.CodeGitLabForbidden] or
// [surgical.CodeGitLabNotFound]. Other errors are those of [Client.Fetch].
func (c *Client) Hooks(ctx context.Context, owner Owner, cursor string) (HookPage, error) {
	path, err := owner.HooksPath()
	if err != nil {
		return HookPage{Answer: Answer{Total: -1}}, err
	}
	records, answer, err := c.walk(ctx, path, "hooks of "+owner.String(), order{}, nil, cursor)
	page := HookPage{Answer: answer}
	for _, f := range records {
		h, ok := hookOf(f)
		if !ok {
			page.Unreadable++
			continue
		}
		page.Hooks = append(page.Hooks, h)
	}
	return page, err
}
