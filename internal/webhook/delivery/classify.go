package delivery

import (
	"net/http"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// EventHeader names the kind of a hook.
const EventHeader = "X-Gitlab-Event"

// Reasons for which a delivery is ignored.
const (
	ReasonUnhandledEvent    = "unhandled_event"    // a hook that concerns no issue and no merge request
	ReasonUnhandledNoteable = "unhandled_noteable" // a note on a commit, a snippet, a design, an epic
	ReasonEpic              = "epic"               // epics belong to a group, not to a project
	ReasonNoProject         = "no_project"         // a work item of a group
	ReasonMissingIdentity   = "missing_identity"   // ours, but its ids are missing or unusable
)

// Event is what a delivery says: the entity to refresh, or why it is none of
// ours.
type Event struct {
	ProjectID int64
	Target    surgical.Target
	// Ignored is one of the reasons, and empty if the event is ours.
	Ignored string
}

// Classify finds the entity that a delivery concerns, whatever happened to it:
// an unknown action still means that it must be refreshed. Only a body that is
// no JSON object is an error ([surgical.CodeInvalidRequest]); all other oddities
// are reasons to ignore it, since GitLab disables a hook that gets 4xx.
func Classify(h http.Header, body []byte) (Event, error) {
	payload, err := parseObject(body)
	if err != nil {
		// The cause is left out: it may quote the payload.
		return Event{}, surgical.NewError(surgical.CodeInvalidRequest, "the body is no JSON object")
	}
	switch kindOf(h.Get(EventHeader), payload) {
	case "issue", "work_item":
		return classifyIssue(payload), nil
	case "merge_request":
		return classifyMergeRequest(payload), nil
	case "note":
		return classifyNote(payload), nil
	default:
		return Event{Ignored: ReasonUnhandledEvent}, nil
	}
}

// kindOf returns the payload's kind if it is one that the hook may carry, else
// "". A pipeline's payload, say, has a merge_request and an iid, and is not one.
func kindOf(hook string, payload object) string {
	kind := strings.TrimPrefix(firstText(payload.text("object_kind"), payload.text("event_type")), "confidential_")
	switch hook {
	case "Issue Hook", "Confidential Issue Hook":
		return oneOf(kind, "issue", "work_item")
	case "Merge Request Hook":
		return oneOf(kind, "merge_request")
	case "Note Hook", "Confidential Note Hook":
		return oneOf(kind, "note")
	case "System Hook":
		// A system hook is told apart by its payload alone: no kind, not ours.
		if kind != "merge_request" {
			return ""
		}
		return kind
	case "": // a proxy or a replay dropped it
		return kind
	default:
		return ""
	}
}

// oneOf returns kind if it is allowed, the first allowed one if it is missing.
func oneOf(kind string, allowed ...string) string {
	if kind == "" {
		return allowed[0]
	}
	for _, a := range allowed {
		if kind == a {
			return kind
		}
	}
	return ""
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func classifyIssue(payload object) Event {
	attributes := payload.object("object_attributes")
	if strings.EqualFold(attributes.text("type"), "epic") {
		return Event{Ignored: ReasonEpic}
	}
	project, found := projectID(payload, attributes)
	return event(surgical.Issue, project, found, attributes.id("iid"))
}

func classifyMergeRequest(payload object) Event {
	attributes := payload.object("object_attributes")
	project, found := mergeRequestProjectID(payload, attributes)
	return event(surgical.MergeRequest, project, found, attributes.id("iid"))
}

func classifyNote(payload object) Event {
	attributes := payload.object("object_attributes")
	issue, mergeRequest := payload.object("issue"), payload.object("merge_request")
	if issue == nil {
		issue = payload.object("work_item")
	}
	noteable := attributes.text("noteable_type")
	switch {
	case noteable == "MergeRequest", noteable == "" && mergeRequest != nil:
		project, found := mergeRequestProjectID(payload, mergeRequest)
		return event(surgical.MergeRequest, project, found, mergeRequest.id("iid"))
	case noteable == "Issue", noteable == "WorkItem", noteable == "" && issue != nil:
		if strings.EqualFold(issue.text("type"), "epic") {
			return Event{Ignored: ReasonEpic}
		}
		project, found := projectID(payload, attributes, issue)
		return event(surgical.Issue, project, found, issue.id("iid"))
	case noteable == "":
		return Event{Ignored: ReasonMissingIdentity}
	default:
		return Event{Ignored: ReasonUnhandledNoteable}
	}
}

// event puts the parts together; found says whether the payload named any
// project at all.
func event(typ surgical.EntityType, project int64, found bool, iid int64) Event {
	switch {
	case !found:
		return Event{Ignored: ReasonNoProject}
	case project == 0 || iid == 0:
		return Event{Ignored: ReasonMissingIdentity}
	default:
		return Event{ProjectID: project, Target: surgical.Target{Type: typ, IID: iid}}
	}
}

// mergeRequestProjectID prefers the target project: the merge request of a fork
// names the fork as its source, and lives in the target.
func mergeRequestProjectID(payload, mergeRequest object) (id int64, found bool) {
	if id := mergeRequest.id("target_project_id"); id > 0 {
		return id, true
	}
	return projectID(payload, mergeRequest)
}

// projectID returns the first usable id of the places that GitLab uses, and
// whether any of them held something.
func projectID(payload object, entities ...object) (id int64, found bool) {
	candidates := []object{{"project_id": payload.object("project")["id"]}, payload}
	for _, c := range append(candidates, entities...) {
		if !c.has("project_id") {
			continue
		}
		found = true
		if id := c.id("project_id"); id > 0 {
			return id, true
		}
	}
	// A project that is there but without an id is malformed, not absent.
	return 0, found || payload.has("project")
}
