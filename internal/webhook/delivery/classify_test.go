package delivery_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

func issue(iid int64) delivery.Event {
	return delivery.Event{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

func mergeRequest(iid int64) delivery.Event {
	return delivery.Event{ProjectID: 1, Target: surgical.Target{Type: surgical.MergeRequest, IID: iid}}
}

func ignored(reason string) delivery.Event { return delivery.Event{Ignored: reason} }

func hook(name string) http.Header {
	h := http.Header{}
	h.Set(delivery.EventHeader, name)
	return h
}

func TestEverySampleIsTakenForWhatItIs(t *testing.T) {
	none := ignored(delivery.ReasonUnhandledEvent)
	want := map[string]delivery.Event{
		"issue_opened": issue(7), "issue_updated": issue(7), "issue_closed": issue(7), "issue_reopened": issue(8), "issue_confidential": issue(9),
		"work_item_task": issue(8), "work_item_incident": issue(7), "epic": ignored(delivery.ReasonEpic),
		"merge_request_opened": mergeRequest(12), "merge_request_updated": mergeRequest(12), "merge_request_approved": mergeRequest(12),
		"merge_request_merged": mergeRequest(12), "merge_request_without_action": mergeRequest(12), "merge_request_fork": mergeRequest(12),
		"system_merge_request": mergeRequest(12), "note_issue": issue(7), "note_merge_request": mergeRequest(12), "note_confidential": issue(7),
		"note_commit": ignored(delivery.ReasonUnhandledNoteable), "note_snippet": ignored(delivery.ReasonUnhandledNoteable),
		"note_design": ignored(delivery.ReasonUnhandledNoteable),
		"push":        none, "tag_push": none, "pipeline": none, "job": none, "wiki_page": none, "release": none, "deployment": none, "emoji": none,
		"feature_flag": none, "milestone": none, "member": none, "system_project_create": none,
	}
	samples, err := events.All()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]delivery.Event{}
	for _, s := range samples {
		event, err := delivery.Classify(hook(s.Event), s.Body)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if event.Ignored == "" && event.Evidence.UpdatedAt.IsZero() || event.Ignored != "" && !event.Evidence.IsZero() {
			t.Errorf("%s: evidence %+v", s.Name, event.Evidence)
		}
		event.Evidence = surgical.Evidence{}
		got[s.Name] = event
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestEvidenceIsWhatThePayloadSaysOfItsState(t *testing.T) {
	at := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	const issueHook, noteHook, mergeHook = "Confidential Issue Hook", "Confidential Note Hook", "Merge Request Hook"
	for name, c := range map[string]struct {
		hook, attributes, beside string
		want                     surgical.Evidence
	}{
		"an issue":                   {issueHook, `"updated_at":"2026-11-02 06:00:00 UTC"`, ``, surgical.Evidence{UpdatedAt: at}},
		"in the API's form":          {issueHook, `"updated_at":"2026-11-02T06:00:00.123Z"`, ``, surgical.Evidence{UpdatedAt: at.Add(123 * time.Millisecond)}},
		"finer than the API":         {issueHook, `"updated_at":"2026-11-02T06:00:00.123456Z"`, ``, surgical.Evidence{UpdatedAt: at.Add(123 * time.Millisecond)}},
		"a confidential issue":       {issueHook, `"confidential":true`, ``, surgical.Evidence{Confidential: true}},
		"odd values":                 {issueHook, `"updated_at":1793599208,"confidential":"true"`, ``, surgical.Evidence{}},
		"a null date":                {issueHook, `"updated_at":null`, ``, surgical.Evidence{}},
		"a merge request":            {mergeHook, `"updated_at":"2026-11-02 06:00:00 UTC","confidential":true`, ``, surgical.Evidence{UpdatedAt: at}},
		"a note":                     {noteHook, `"id":71,"created_at":"2026-11-01 06:00:00 UTC","updated_at":"2026-11-02 06:00:00 UTC"`, `"issue":{"iid":7,"updated_at":"2026-11-01 07:00:00 UTC"}`, surgical.Evidence{UpdatedAt: at.Add(-23 * time.Hour), NoteID: 71, NoteAt: at}},
		"a note without updated_at":  {noteHook, `"id":"71","created_at":"2026-11-02 06:00:00 UTC"`, `"issue":{"iid":7}`, surgical.Evidence{NoteID: 71, NoteAt: at}},
		"an odd note":                {noteHook, `"id":{},"updated_at":[]`, `"issue":{"iid":7}`, surgical.Evidence{}},
		"a note of a confidential":   {noteHook, `"id":71,"internal":false`, `"issue":{"iid":7,"confidential":true}`, surgical.Evidence{NoteID: 71, Confidential: true}},
		"an internal note":           {noteHook, `"id":71,"updated_at":"2026-11-02 06:00:00 UTC","internal":true`, `"issue":{"iid":7}`, surgical.Evidence{InternalNoteID: 71, InternalNoteAt: at}},
		"an internal note, formerly": {noteHook, `"id":71,"confidential":true`, `"issue":{"iid":7}`, surgical.Evidence{InternalNoteID: 71}},
		"a note of a merge request":  {noteHook, `"id":71`, `"merge_request":{"iid":7,"updated_at":"2026-11-02 06:00:00 UTC"}`, surgical.Evidence{UpdatedAt: at, NoteID: 71}},
	} {
		body := `{"project":{"id":1},"object_attributes":{"iid":7,` + c.attributes + `}` + strings.TrimSuffix(","+c.beside, ",") + `}`
		got, err := delivery.Classify(hook(c.hook), []byte(body))
		if diff := cmp.Diff(c.want, got.Evidence); diff != "" || err != nil || got.Ignored != "" {
			t.Errorf("%s: %v, %q (-want +got):\n%s", name, err, got.Ignored, diff)
		}
	}
}

func TestIDsAreFoundWhereverGitLabPutsThem(t *testing.T) {
	const issueHook, mergeHook, noteHook = "Issue Hook", "Merge Request Hook", "Note Hook"
	missing, noProject := ignored(delivery.ReasonMissingIdentity), ignored(delivery.ReasonNoProject)
	tests := []struct {
		name, hook, body string
		want             delivery.Event
	}{
		{"ids as strings", issueHook, `{"object_kind":"issue","project":{"id":"1"},"object_attributes":{"iid":" 7 "}}`, issue(7)},
		{"ids as decimals", issueHook, `{"object_kind":"issue","project":{"id":1.0},"object_attributes":{"iid":7e0}}`, issue(7)},
		{"project_id at the top", issueHook, `{"object_kind":"issue","project":null,"project_id":1,"object_attributes":{"iid":7}}`, issue(7)},
		{"project_id in the attributes", issueHook, `{"object_kind":"issue","object_attributes":{"iid":7,"project_id":1}}`, issue(7)},
		{"a project of the wrong type beside a good id", issueHook, `{"object_kind":"issue","project":"x","object_attributes":{"iid":7,"project_id":1}}`, issue(7)},
		{"no kind in the payload", issueHook, `{"project":{"id":1},"object_attributes":{"iid":7}}`, issue(7)},
		{"unknown action", issueHook, `{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":7,"action":"teleport"}}`, issue(7)},
		{"action of the wrong type", mergeHook, `{"object_kind":"merge_request","project":{"id":1},"changes":"","object_attributes":{"iid":12,"action":{}}}`, mergeRequest(12)},
		{"no header at all", "", `{"object_kind":"merge_request","project":{"id":1},"object_attributes":{"iid":12}}`, mergeRequest(12)},
		{"event type alone", "", `{"event_type":"confidential_issue","project":{"id":1},"object_attributes":{"iid":9}}`, issue(9)},
		{"the target project before all others", mergeHook, `{"object_kind":"merge_request","project":{"id":3},"object_attributes":{"iid":12,"source_project_id":2,"target_project_id":"1"}}`, mergeRequest(12)},
		{"never the source project", mergeHook, `{"object_kind":"merge_request","object_attributes":{"iid":12,"source_project_id":2}}`, noProject},
		{"note without a noteable type", noteHook, `{"object_kind":"note","project_id":1,"object_attributes":{},"merge_request":{"iid":12}}`, mergeRequest(12)},
		{"note on a work item", noteHook, `{"object_kind":"note","project_id":1,"object_attributes":{"noteable_type":"WorkItem"},"issue":{"iid":7}}`, issue(7)},
		{"note on an epic", noteHook, `{"object_kind":"note","object_attributes":{"noteable_type":"Epic"}}`, ignored(delivery.ReasonUnhandledNoteable)},
		{"note on an issue that is missing", noteHook, `{"object_kind":"note","project_id":1,"object_attributes":{"noteable_type":"Issue"}}`, missing},
		{"note on nothing", noteHook, `{"object_kind":"note","project_id":1}`, missing},
		{"group's work item", issueHook, `{"object_kind":"work_item","project":null,"object_attributes":{"iid":7,"type":"Objective"}}`, noProject},
		{"no iid", issueHook, `{"object_kind":"issue","project":{"id":1},"object_attributes":{}}`, missing},
		{"null iid", issueHook, `{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":null}}`, missing},
		{"negative iid", issueHook, `{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":-7}}`, missing},
		{"fraction", issueHook, `{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":7.5}}`, missing},
		{"id beyond 64 bits", issueHook, `{"object_kind":"issue","project":{"id":99999999999999999999},"object_attributes":{"iid":7}}`, missing},
		{"attributes of the wrong type", issueHook, `{"object_kind":"issue","project":{"id":1},"object_attributes":[7]}`, missing},
		{"project without an id", issueHook, `{"object_kind":"issue","project":{},"object_attributes":{"iid":7}}`, missing},
		{"a pipeline under an issue's hook", issueHook, `{"object_kind":"pipeline","project":{"id":1},"object_attributes":{"iid":7}}`, ignored(delivery.ReasonUnhandledEvent)},
		{"an issue under a system hook", "System Hook", `{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":7}}`, issue(7)},
		{"a hook of the future", "Telepathy Hook", `{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":7}}`, issue(7)},
		{"a hook of the future about something else", "Telepathy Hook", `{"object_kind":"thought","project":{"id":1},"object_attributes":{"iid":7}}`, ignored(delivery.ReasonUnhandledEvent)},
		{"an empty object", "", `{}`, ignored(delivery.ReasonUnhandledEvent)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := delivery.Classify(hook(tt.hook), []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

// Proxies join and rewrite headers, and GitLab's versions spell names differently.
func TestClassify_AcceptsEverySpellingOfANameThatIsUnambiguous(t *testing.T) {
	ids := `"project":{"id":1},"object_attributes":{"iid":7,"noteable_type":"%s"},"issue":{"iid":7},"merge_request":{"iid":12}`
	for _, tt := range []struct {
		hook, kind, noteable string
		want                 delivery.Event
	}{
		{"Issue Hook,Issue Hook", "", "", issue(7)},
		{"Issue Hook, Confidential Issue Hook", "", "", issue(7)},
		{"ISSUE HOOK", "", "", issue(7)},
		{"issue_hook", "", "", issue(7)},
		{"confidential-issue-hook", "", "", issue(7)},
		{"Work Item Hook", "", "", issue(7)},
		{"WorkItem Hook", "", "", issue(7)},
		{"Issue Hook,", "", "", issue(7)},
		{"Issue Hook,Pipeline Hook", "issue", "", issue(7)},
		{"Issue Hook", "work-item", "", issue(7)},
		{"", "WorkItem", "", issue(7)},
		{"Merge-Request Hook", "", "", mergeRequest(7)},
		{"Note Hook", "", "merge_request", mergeRequest(12)},
		{"Confidential Note Hook,Confidential Note Hook", "", "work_item", issue(7)},
		{"Issue Hook,Note Hook", "", "", ignored(delivery.ReasonAmbiguousEvent)},
		{"Issue Hook,Pipeline Hook", "", "", ignored(delivery.ReasonAmbiguousEvent)},
		{"System Hook", "", "", ignored(delivery.ReasonUnhandledEvent)},
		{"Issue Hook", "pipeline", "", ignored(delivery.ReasonUnhandledEvent)},
		{"Tissue Hook", "", "", ignored(delivery.ReasonUnhandledEvent)},
		{" , ", "", "", ignored(delivery.ReasonUnhandledEvent)},
	} {
		body := fmt.Sprintf(`{"object_kind":%q,`+ids+"}", tt.kind, tt.noteable)
		got, err := delivery.Classify(hook(tt.hook), []byte(body))
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("hook %q, kind %q: error %v, event (-want +got):\n%s", tt.hook, tt.kind, err, diff)
		}
	}
}

func TestOnlyWhatIsNoJSONObjectIsRefused(t *testing.T) {
	nested := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	for _, payload := range []string{"", "null", "[]", "7", `"x"`, "{", `{"a":1}x`, "object_kind=issue", "<html>", nested} {
		_, err := delivery.Classify(hook("Push Hook"), []byte(payload))
		if surgical.CodeOf(err) != surgical.CodeInvalidRequest {
			t.Errorf("Classify(%.20q) = %v, want invalid_request", payload, err)
		}
	}
}
