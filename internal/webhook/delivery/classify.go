package delivery

import (
	"net/http"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/record"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// EventHeader is the header with the kind of hook.
const EventHeader = "X-Gitlab-Event"

// Reasons for which a delivery is ignored.
const (
	ReasonAmbiguousEvent    = "ambiguous_event"    // the names of several hooks, and no kind in the payload
	ReasonUnhandledEvent    = "unhandled_event"    // a hook for something other than an issue or a merge request
	ReasonUnhandledNoteable = "unhandled_noteable" // a note on a commit, a snippet, a design, an epic
	ReasonEpic              = "epic"               // epics belong to a group, not to a project
	ReasonNoProject         = "no_project"         // a work item that belongs to a group
	ReasonMissingIdentity   = "missing_identity"   // an issue or merge request whose ids are missing or unusable
)

// Event is what a delivery means: the entity to refresh, or why it is ignored.
type Event struct {
	ProjectID int64
	Target    surgical.Target
	// Evidence is what the delivery says about the state that it announces.
	Evidence surgical.Evidence
	// Ignored is one of the reasons, or empty if there is an entity to refresh.
	Ignored string
}

// Classify determines which entity a delivery concerns, whatever its action: an
// unknown action still means that the entity must be refreshed. Only a body that
// is not a JSON object is an error ([surgical.CodeInvalidRequest]). Anything else
// unexpected is a reason to ignore it, because GitLab disables a hook that gets
// a 4xx response.
func Classify(h http.Header, body []byte) (Event, error) {
	payload, ok := record.Read(body)
	if !ok {
		return Event{}, surgical.NewError(surgical.CodeInvalidRequest, "the body is not a JSON object")
	}
	switch kindOf(Header(h, EventHeader), payload) {
	case "issue", "workitem":
		return classifyIssue(payload), nil
	case "mergerequest":
		return classifyMergeRequest(payload), nil
	case "note":
		return classifyNote(payload), nil
	case ambiguous:
		return Event{Ignored: ReasonAmbiguousEvent}, nil
	default:
		return Event{Ignored: ReasonUnhandledEvent}, nil
	}
}

// ambiguous is the kind of a delivery whose payload has none, under the names of
// several hooks.
const ambiguous = "ambiguous"

// kindOf returns what a delivery is about, as [spelling] writes it. The payload's
// object_kind decides, then its event_type, and only without either the hook's name:
// a signature covers the payload but not the header, and GitLab renames hooks and
// adds new ones, which carry the same kinds. A pipeline's payload, for example, has
// a merge_request and an iid, but its kind is not a merge request's.
func kindOf(hook string, payload record.Fields) string {
	for _, member := range []string{"object_kind", "event_type"} {
		if kind := spelling(payload.Text(member)); kind != "" {
			return kind
		}
	}
	if payload.Text("event_name") != "" {
		return "" // a system hook's other events name themselves in this member
	}
	kind := ""
	for name := range strings.SplitSeq(hook, ",") {
		switch named := strings.TrimSuffix(spelling(name), "hook"); {
		case named == "":
		case kind == "":
			kind = named
		case named != kind:
			return ambiguous
		}
	}
	return kind
}

// spelling reduces a name to its lower-case letters, without a leading
// "confidential": "Confidential Issue Hook", "issue-hook" and "ISSUE_HOOK" are all
// "issuehook".
func spelling(name string) string {
	letters := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return -1
		}
	}, name)
	return strings.TrimPrefix(letters, "confidential")
}

func classifyIssue(payload record.Fields) Event {
	attributes, _ := payload.Object("object_attributes")
	if strings.EqualFold(attributes.Text("type"), "epic") {
		return Event{Ignored: ReasonEpic}
	}
	project, found := projectID(payload, attributes)
	return event(surgical.Issue, project, found, idOf(attributes, "iid"), evidenceOf(surgical.Issue, attributes))
}

func classifyMergeRequest(payload record.Fields) Event {
	attributes, _ := payload.Object("object_attributes")
	project, found := mergeRequestProjectID(payload, attributes)
	return event(surgical.MergeRequest, project, found, idOf(attributes, "iid"), evidenceOf(surgical.MergeRequest, attributes))
}

func classifyNote(payload record.Fields) Event {
	attributes, _ := payload.Object("object_attributes")
	mergeRequest, onMergeRequest := payload.Object("merge_request")
	issue, onIssue := payload.Object("issue")
	if !onIssue {
		issue, onIssue = payload.Object("work_item")
	}
	noteable := spelling(attributes.Text("noteable_type"))
	switch {
	case noteable == "mergerequest", noteable == "" && onMergeRequest:
		project, found := mergeRequestProjectID(payload, mergeRequest)
		return event(surgical.MergeRequest, project, found, idOf(mergeRequest, "iid"), evidenceOf(surgical.MergeRequest, mergeRequest).Merge(evidenceOfNote(attributes)))
	case noteable == "issue", noteable == "workitem", noteable == "" && onIssue:
		if strings.EqualFold(issue.Text("type"), "epic") {
			return Event{Ignored: ReasonEpic}
		}
		project, found := projectID(payload, attributes, issue)
		return event(surgical.Issue, project, found, idOf(issue, "iid"), evidenceOf(surgical.Issue, issue).Merge(evidenceOfNote(attributes)))
	case noteable == "":
		return Event{Ignored: ReasonMissingIdentity}
	default:
		return Event{Ignored: ReasonUnhandledNoteable}
	}
}

// event combines the parts. found reports whether the payload names any project
// at all.
func event(typ surgical.EntityType, project int64, found bool, iid int64, evidence surgical.Evidence) Event {
	switch {
	case !found:
		return Event{Ignored: ReasonNoProject}
	case project == 0 || iid == 0:
		return Event{Ignored: ReasonMissingIdentity}
	default:
		return Event{ProjectID: project, Target: surgical.Target{Type: typ, IID: iid}, Evidence: evidence}
	}
}

// evidenceOf is what the payload says about the state of an issue or merge
// request. Confidential is the issue's own: the name of the hook also covers
// internal notes on public issues. An odd field does not count.
func evidenceOf(typ surgical.EntityType, entity record.Fields) surgical.Evidence {
	evidence := surgical.Evidence{Confidential: typ == surgical.Issue && entity.Flag("confidential")}
	evidence.UpdatedAt, _ = timeOf(entity, "updated_at")
	return evidence
}

// timeOf returns a time in milliseconds: the API gives no more, so a finer one could
// never be confirmed.
func timeOf(f record.Fields, name string) (time.Time, bool) {
	t, ok := surgical.ParseTime(f.Text(name))
	return t.Truncate(time.Millisecond), ok
}

// evidenceOfNote is what the payload says about a note.
func evidenceOfNote(note record.Fields) surgical.Evidence {
	id := idOf(note, "id")
	at, ok := timeOf(note, "updated_at")
	if !ok {
		at, _ = timeOf(note, "created_at")
	}
	if note.Flag("internal") || note.Flag("confidential") {
		return surgical.Evidence{InternalNoteID: id, InternalNoteAt: at}
	}
	return surgical.Evidence{NoteID: id, NoteAt: at}
}

// mergeRequestProjectID prefers the target project: a merge request from a fork
// has the fork as its source, but belongs to the target.
func mergeRequestProjectID(payload, mergeRequest record.Fields) (id int64, found bool) {
	if id := idOf(mergeRequest, "target_project_id"); id > 0 {
		return id, true
	}
	return projectID(payload, mergeRequest)
}

// projectID returns the first usable id among the fields that GitLab uses, and
// whether any of them had a value.
func projectID(payload record.Fields, entities ...record.Fields) (id int64, found bool) {
	project, _ := payload.Object("project")
	if id := idOf(project, "id"); id > 0 {
		return id, true
	}
	// A project without an id is malformed, not absent.
	found = payload.Has("project")
	for _, f := range append([]record.Fields{payload}, entities...) {
		if id := idOf(f, "project_id"); id > 0 {
			return id, true
		}
		found = found || f.Has("project_id")
	}
	return 0, found
}

// idOf returns a positive whole number in any spelling, and otherwise 0.
func idOf(f record.Fields, name string) int64 { return max(f.Integer(name), 0) }
