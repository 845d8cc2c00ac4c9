package gitlab

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// HookEvent is a delivery in the log of its hook.
type HookEvent struct {
	ID              int64             `json:"id"`
	URL             string            `json:"url"`
	Trigger         string            `json:"trigger"`
	RequestHeaders  map[string]string `json:"request_headers"`
	RequestData     json.RawMessage   `json:"request_data"`
	ResponseHeaders map[string]string `json:"response_headers"`
	ResponseBody    string            `json:"response_body"`
	Duration        float64           `json:"execution_duration"`
	// ResponseStatus is a number as a text, or "internal error" without a response.
	ResponseStatus string `json:"response_status"`

	at time.Time
}

const (
	// logged is how long the log keeps a delivery.
	logged = 7 * 24 * time.Hour
	// internalError is the status of a delivery without a response.
	internalError = "internal error"
	// deliveryTimeout is how long GitLab waits for an answer.
	deliveryTimeout = 10 * time.Second
	// fragile is how many failures in a row a hook survives, and hopeless the number
	// from which on it is disabled permanently.
	fragile, hopeless = 3, 40
	firstBackoff      = time.Minute
	longestBackoff    = 24 * time.Hour
	// callsAMinute limits tests and resends, per user and owner.
	callsAMinute = 5
)

// Send delivers an event of the entity to all hooks that want it: those of its
// project, and of the groups above. The last note is the event if it is newer than
// the entity's other changes or if note says so. It returns how many deliveries were
// sent; a disabled hook gets none. Whether a delivery failed is in its hook's log.
func (s *Server) Send(ctx context.Context, ref surgical.EntityRef, note bool) int {
	s.mu.Lock()
	e := s.entity(ref)
	body, trigger := s.payload(ref, e, note)
	var to []*hook
	for _, h := range s.hooksAbove(ref.ProjectID) {
		if _, disabled := h.disabled(s.clock()); !disabled && h.wants(trigger) {
			to = append(to, h)
		}
	}
	s.mu.Unlock()
	for _, h := range to {
		s.deliver(ctx, h, trigger, rand.Text(), body)
	}
	return len(to)
}

// hooksAbove returns the hooks of the project and of all groups above it.
func (s *State) hooksAbove(project int64) []*hook {
	p := s.projects[project]
	hooks := slices.Clone(p.hooks)
	for _, g := range s.groups {
		if strings.HasPrefix(p.path, g.path+"/") {
			hooks = append(hooks, g.hooks...)
		}
	}
	return hooks
}

// The triggers of a hook, as its log names them.
const (
	issueTrigger             = "issue_hooks"
	confidentialIssueTrigger = "confidential_issue_hooks"
	mergeRequestTrigger      = "merge_request_hooks"
	noteTrigger              = "note_hooks"
	confidentialNoteTrigger  = "confidential_note_hooks"
)

func (h *hook) wants(trigger string) bool {
	return map[string]bool{
		issueTrigger: h.IssuesEvents, confidentialIssueTrigger: h.ConfidentialIssuesEvents, mergeRequestTrigger: h.MergeRequestsEvents,
		noteTrigger: h.NoteEvents, confidentialNoteTrigger: h.ConfidentialNoteEvents,
	}[trigger]
}

// eventName is the X-Gitlab-Event header of the trigger's deliveries.
func eventName(trigger string) string {
	return map[string]string{
		issueTrigger: "Issue Hook", confidentialIssueTrigger: "Confidential Issue Hook", mergeRequestTrigger: "Merge Request Hook",
		noteTrigger: "Note Hook", confidentialNoteTrigger: "Confidential Note Hook",
	}[trigger]
}

// payload is what GitLab delivers about the entity, or about its last note.
func (s *State) payload(ref surgical.EntityRef, e *entity, note bool) (json.RawMessage, string) {
	c := e.common()
	kind, trigger, confidential := "issue", issueTrigger, false
	if e.mergeRequest != nil {
		kind, trigger = "merge_request", mergeRequestTrigger
	} else if confidential = e.issue.Confidential; confidential {
		trigger = confidentialIssueTrigger
	}
	attributes := map[string]any{
		"id": c.ID, "iid": c.IID, "title": c.Title, "state": c.State, "action": "update",
		"updated_at": hookTime(c.UpdatedAt), "created_at": hookTime(c.CreatedAt),
	}
	if kind == "issue" {
		attributes["confidential"], attributes["project_id"] = confidential, ref.ProjectID
	} else {
		attributes["target_project_id"], attributes["source_project_id"] = ref.ProjectID, ref.ProjectID
	}
	p := s.projects[ref.ProjectID]
	body := map[string]any{
		"object_kind": kind, "event_type": kind, "object_attributes": attributes,
		"project": map[string]any{"id": p.id, "path_with_namespace": p.path, "web_url": webBase + p.path},
		"user":    map[string]any{"id": Mira().ID, "name": Mira().Name, "username": Mira().Username, "email": "[REDACTED]"},
	}
	if last, ok := lastNote(e); note && ok {
		trigger = noteTrigger
		if confidential || last.Internal {
			trigger = confidentialNoteTrigger
		}
		body[kind], body["object_kind"], body["event_type"], body["project_id"] = attributes, "note", "note", p.id
		body["object_attributes"] = map[string]any{
			"id": last.ID, "note": last.Body, "noteable_type": resourceType(ref), "noteable_id": c.ID, "project_id": p.id, "internal": last.Internal,
			"created_at": hookTime(last.CreatedAt), "updated_at": hookTime(last.UpdatedAt), "action": "create",
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic("fakegitlab: encode a payload: " + err.Error()) // made of texts and numbers only
	}
	return raw, trigger
}

func lastNote(e *entity) (Note, bool) {
	var last Note
	for _, d := range e.discussions {
		for _, n := range d.Notes {
			if !n.System && n.ID > last.ID {
				last = n
			}
		}
	}
	return last, last.ID > 0
}

// hookTime is a time as payloads have it, in seconds.
func hookTime(t Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// deliver sends one delivery, logs it, and counts its failure or success. It returns
// the status of the response, or [internalError].
func (s *Server) deliver(ctx context.Context, h *hook, trigger, key string, body json.RawMessage) string {
	s.mu.Lock()
	now, url := s.clock(), h.URL
	headers := map[string]string{
		"Content-Type": "application/json", "User-Agent": "GitLab/19.0.0", "Idempotency-Key": key, "X-Gitlab-Event": eventName(trigger),
		"X-Gitlab-Webhook-UUID": fmt.Sprintf("hook-%d", h.ID), "X-Gitlab-Instance": strings.TrimSuffix(webBase, "/"), "X-Gitlab-Event-UUID": rand.Text(),
	}
	sent := maps.Clone(headers)
	if h.token != "" {
		headers["X-Gitlab-Token"], sent["X-Gitlab-Token"] = "[REDACTED]", h.token
	}
	if h.signingToken != "" {
		stamp := strconv.FormatInt(now.Unix(), 10)
		for _, into := range []map[string]string{headers, sent} {
			into["webhook-id"], into["webhook-timestamp"] = key, stamp
		}
		headers["webhook-signature"], sent["webhook-signature"] = "[REDACTED]", sign(h.signingToken, key, stamp, body)
	}
	s.mu.Unlock()

	event := HookEvent{URL: url, Trigger: trigger, RequestHeaders: headers, RequestData: body, ResponseStatus: internalError, ResponseHeaders: map[string]string{}, at: now}
	s.post(ctx, url, sent, &event)

	s.mu.Lock()
	defer s.mu.Unlock()
	event.ID = s.id()
	h.log = slices.Insert(h.log, 0, event)
	h.judge(event.ResponseStatus, s.autoDisable, now)
	return event.ResponseStatus
}

// sign is a signature of the Standard Webhooks specification.
func sign(token, id, stamp string, body []byte) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(token, "whsec_"))
	if err != nil {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body) // never fails
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (s *Server) post(ctx context.Context, url string, headers map[string]string, event *HookEvent) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(event.RequestData))
	if err != nil {
		event.ResponseBody = "URI is invalid"
		return
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := s.hookClient.RoundTrip(req)
	if err != nil {
		event.ResponseBody = "the connection failed"
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 8<<10))
	if err != nil {
		return
	}
	event.ResponseStatus, event.ResponseBody = strconv.Itoa(resp.StatusCode), string(answer)
	for name := range resp.Header {
		event.ResponseHeaders[name] = resp.Header.Get(name)
	}
}

// judge enables the hook after a success. After the fourth failure in a row it
// disables it for a while, and after the fortieth permanently.
func (h *hook) judge(status string, autoDisable bool, now time.Time) {
	if len(status) == 3 && (status[0] == '2' || status[0] == '3') {
		h.failures, h.AlertStatus, h.DisabledUntil = 0, "executable", nil
		return
	}
	h.failures++
	switch {
	case !autoDisable || h.failures <= fragile:
	case h.failures >= hopeless:
		h.AlertStatus, h.DisabledUntil = "disabled", nil
	default:
		backoff := longestBackoff
		if doublings := h.failures - fragile - 1; doublings < 11 {
			backoff = firstBackoff << doublings
		}
		h.AlertStatus, h.DisabledUntil = "temporarily_disabled", new(now.Add(min(backoff, longestBackoff)).UTC().Format(time.RFC3339))
	}
}

func (s *Server) listEvents(r *http.Request, _ owner, h *hook) response {
	if s.noDeliveryLog {
		return jsonResponse(http.StatusNotFound, map[string]string{"error": "404 Not Found"})
	}
	wanted, ok := statuses(r.URL.Query().Get("status"))
	if !ok {
		return badRequest("status does not have a valid value")
	}
	var events []HookEvent
	for _, e := range h.log {
		if age := s.clock().Sub(e.at); age >= s.logDelay && age < logged && wanted(e.ResponseStatus) {
			events = append(events, e)
		}
	}
	resp, err := paginate(r, events)
	if err != nil {
		return jsonResponse(http.StatusInternalServerError, map[string]string{"message": err.Error()})
	}
	return resp
}

// statuses returns the filter that a status parameter means. No value of it selects
// deliveries without a response.
func statuses(text string) (func(string) bool, bool) {
	first, named := map[string]byte{"successful": '2', "client_failure": '4', "server_failure": '5'}[text]
	switch code, err := strconv.Atoi(text); {
	case text == "":
		return func(string) bool { return true }, true
	case named:
		return func(status string) bool { return len(status) == 3 && status[0] == first }, true
	case err != nil || code < 200 || code > 599:
		return nil, false
	default:
		return func(status string) bool { return status == text }, true
	}
}

// throttled answers with 429 if the owner's hooks were tested or resent too often.
func (s *Server) throttled(w http.ResponseWriter, o owner) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, key := s.clock(), o.project
	calls := slices.DeleteFunc(s.hookCalls[key], func(at time.Time) bool { return now.Sub(at) >= time.Minute })
	refused := len(calls) >= callsAMinute
	if !refused {
		calls = append(calls, now)
	}
	s.hookCalls[key] = calls
	if refused {
		answer(w, http.StatusTooManyRequests, `{"message":{"error":"This endpoint has been requested too many times. Try again later."}}`)
	}
	return refused
}

func (s *Server) resend(find func(http.ResponseWriter, *http.Request) (owner, bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o, ok := find(w, r)
		if !ok || s.throttled(w, o) {
			return
		}
		s.mu.Lock()
		var event HookEvent
		h := o.hook(r)
		if h != nil {
			for _, e := range h.log {
				if strconv.FormatInt(e.ID, 10) == r.PathValue("event") {
					event = e
				}
			}
		}
		s.mu.Unlock()
		if event.ID == 0 {
			answer(w, http.StatusNotFound, `{"message":"404 Not found"}`)
			return
		}
		status := s.deliver(r.Context(), h, event.Trigger, event.RequestHeaders["Idempotency-Key"], event.RequestData)
		if code, err := strconv.Atoi(status); err == nil {
			reply(w, http.StatusCreated, map[string]int{"response_status": code})
			return
		}
		reply(w, http.StatusUnprocessableEntity, map[string]string{"message": status})
	}
}

// test delivers what GitLab's test of a trigger does: the newest issue, merge request
// or comment of the project, to the hook even if it is disabled.
func (s *Server) test(find func(http.ResponseWriter, *http.Request) (owner, bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o, ok := find(w, r)
		if !ok || s.throttled(w, o) {
			return
		}
		trigger := r.PathValue("trigger")
		typ, note, known := surgical.Issue, trigger == "note_events", true
		switch trigger {
		case "issues_events", "confidential_issues_events", "note_events":
		case "merge_requests_events":
			typ = surgical.MergeRequest
		default:
			known = false
		}
		s.mu.Lock()
		h, body, name := o.hook(r), json.RawMessage(nil), ""
		if ref, found := s.newest(o, typ); found && known {
			body, name = s.payload(ref, s.entities[ref], note)
		}
		s.mu.Unlock()
		switch {
		case h == nil:
			answer(w, http.StatusNotFound, `{"message":"404 Not found"}`)
		case !known:
			answer(w, http.StatusBadRequest, `{"error":"trigger does not have a valid value"}`)
		case body == nil:
			answer(w, http.StatusUnprocessableEntity, `{"message":"Ensure the project has issues."}`)
		default:
			status := s.deliver(r.Context(), h, name, rand.Text(), body)
			if strings.HasPrefix(status, "2") {
				reply(w, http.StatusCreated, map[string]string{"message": "201 Created"})
				return
			}
			reply(w, http.StatusUnprocessableEntity, map[string]string{"message": "Hook execution failed: " + status})
		}
	}
}

// newest returns the newest entity of the type in the project, or in one of the
// group's.
func (s *State) newest(o owner, typ surgical.EntityType) (surgical.EntityRef, bool) {
	var found []surgical.EntityRef
	for ref, e := range s.entities {
		p := s.projects[ref.ProjectID]
		inside := o.project == p || o.group != nil && strings.HasPrefix(p.path, o.group.path+"/")
		if inside && ref.Type == typ && !e.hidden {
			found = append(found, ref)
		}
	}
	if len(found) == 0 {
		return surgical.EntityRef{}, false
	}
	return slices.MaxFunc(found, func(a, b surgical.EntityRef) int {
		return cmp.Or(cmp.Compare(s.entities[a].common().ID, s.entities[b].common().ID), strings.Compare(a.Key(), b.Key()))
	}), true
}

// AddHookEvents adds deliveries to the log of a project's hook, the oldest first, as if
// they had been sent now. Missing ids are filled in.
func (s *State) AddHookEvents(projectID, hookID int64, events ...HookEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hooks := s.projects[projectID].hooks
	h := hooks[indexOf(hooks, hookID)]
	for _, e := range events {
		if e.at = s.clock(); e.ID == 0 {
			e.ID = s.id()
		}
		h.log = slices.Insert(h.log, 0, e)
	}
}

// HookEvents returns the log of a project's hook, newest first.
func (s *State) HookEvents(projectID, hookID int64) []HookEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	hooks := s.projects[projectID].hooks
	return slices.Clone(hooks[indexOf(hooks, hookID)].log)
}
