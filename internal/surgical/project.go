package surgical

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Project is what is known of one GitLab project as a whole. Zero fields are not
// known, or have not happened.
type Project struct {
	// ID is GitLab's. It stays the same when the project is renamed or transferred.
	ID int64
	// Known reports whether there is a row of the project.
	Known bool
	// Path is the newest known path with all groups, such as group/sub/project, and
	// PathAt the beginning of the fetch that returned it.
	Path   string
	PathAt time.Time
	// HiddenAt hides every copy whose fetch did not begin after it. It is never
	// lowered.
	HiddenAt time.Time
	// UnseenSince is when GitLab first refused to show the project, without having
	// shown it since.
	UnseenSince time.Time
	// CompleteAsOf is the time before which every change in GitLab is in the copy, as
	// far as GitLab's lists show. CompleteSince is when the pass began that listed
	// everything, on which the statement rests: see [Project.Hide].
	CompleteAsOf, CompleteSince time.Time
	// CompleteExcept are entities to which that does not apply: GitLab lists a change that
	// could not be fetched, several times in a row.
	CompleteExcept []Target
	// Unreadable are records of GitLab's lists that named no entity. While there are any,
	// no reconcile moves CompleteAsOf; see [Incomplete].
	Unreadable Unreadable
	// Counts are of the last pass that counted.
	Counts ProjectCounts
	// Hook is the result of the last check of the project's webhook.
	Hook HookCheck
	// LastReconcile is the last reconcile that ended.
	LastReconcile Reconciled
	// LastCensus is the last census that ended.
	LastCensus Censused
}

// Unreadable counts records of GitLab's lists that name no entity, as the last pass that
// met any did, until a backfill has listed everything without one. A record may be
// counted more than once.
type Unreadable struct {
	Records int64
	// At is when the last of them was listed.
	At time.Time
}

// ProjectCounts is how many entities GitLab's lists had.
type ProjectCounts struct {
	Issues, MergeRequests int64
	// At is when they were counted.
	At time.Time
}

// HookState says whether the webhook of a project works.
type HookState string

// The states of a hook. The empty one means that it was not checked yet.
const (
	HookWorking  HookState = "working"
	HookMissing  HookState = "missing"
	HookDisabled HookState = "disabled"
	// HookSilent: the hook is subscribed to events that GitLab does not send.
	HookSilent HookState = "silent"
	// HookUnreadable: none was found, and the token may not read the hooks of the
	// project or of a group above it.
	HookUnreadable HookState = "unreadable"
)

// HookStates returns every state that a check can find.
func HookStates() []HookState {
	return []HookState{HookWorking, HookMissing, HookDisabled, HookSilent, HookUnreadable}
}

// HookCheck is the result of a check of a project's webhook.
type HookCheck struct {
	State HookState
	// ID is GitLab's id of the hook that was found, or 0. Group is the path of the
	// group that it belongs to, "" for one of the project's own.
	ID    int64
	Group string
	// Signed reports that the hook signs its deliveries.
	Signed bool
	// Reason explains any state but [HookWorking].
	Reason    string
	CheckedAt time.Time
	// Findings counts the checks in a row, up to this one, that found that no hook
	// works. A check that may not read the hooks finds nothing.
	Findings int64
	// LastDelivery is the id of the newest delivery of the hook's log that was read,
	// and ReadAt when it was. NoLog says why there is no log, "" if there is one.
	LastDelivery int64
	ReadAt       time.Time
	NoLog        string
	// Unread is the cursor of the deliveries that readings did not get to, "" if there
	// are none: those from there down to UnreadTo, which was read.
	Unread   string
	UnreadTo int64
}

// Reconciled is what one reconcile of a project found.
type Reconciled struct {
	// Cycle names the pass.
	Cycle            string
	BeganAt, EndedAt time.Time
	// Listed counts the entities that GitLab's lists showed, Different those whose
	// copy was missing or older.
	Listed, Different int64
	// Missed counts the runs whose commit changed something although no delivery
	// had announced it.
	Missed int64
	// Requests counts the requests for the lists.
	Requests int64
}

// Hide applies a time before which every copy is hidden to what is known of the
// project. What hides at or after the listing that completeness rests on also ends
// that completeness.
func (p Project) Hide(at time.Time) Project {
	p.HiddenAt = later(p.HiddenAt, at)
	if !p.HiddenAt.IsZero() && !p.CompleteSince.After(p.HiddenAt) {
		p.CompleteAsOf, p.CompleteSince, p.CompleteExcept = time.Time{}, time.Time{}, nil
	}
	return p
}

// MaxProjectPath is the longest path of a project, in bytes: it is part of a key.
const MaxProjectPath = 1000

// ParseProjectPath checks a path such as group/sub/project. GitLab compares paths
// without regard to case, see [ProjectPathKey].
func ParseProjectPath(s string) (string, error) {
	if len(s) > MaxProjectPath {
		return "", fmt.Errorf("a project's path has at most %d bytes, got %d", MaxProjectPath, len(s))
	}
	segments := strings.Split(s, "/")
	for _, segment := range segments {
		if !validSegment(segment) {
			return "", fmt.Errorf("%q is not a project's path such as group/project", s)
		}
	}
	if len(segments) < 2 {
		return "", fmt.Errorf("%q is not a project's path such as group/project: it lacks the group", s)
	}
	return s, nil
}

// ProjectPath returns the path of the entity's project as GitLab gave it with the
// entity, or "" if it did not.
func (s Snapshot) ProjectPath() string {
	var entity struct {
		References struct {
			// Full is the path, # or !, and the iid.
			Full string `json:"full"`
		} `json:"references"`
	}
	if json.Unmarshal(s.Entity, &entity) != nil {
		return ""
	}
	path, _ := strings.CutSuffix(entity.References.Full, s.Ref.Target.Short())
	if path, err := ParseProjectPath(path); err == nil {
		return path
	}
	return ""
}

// validSegment reports whether GitLab accepts s as the name of a group or project
// within a path.
func validSegment(s string) bool {
	if s == "" || s[0] == '-' || s == "." || s == ".." {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.')
	})
}

// ProjectPathKey is the form of a path in which equal paths are equal texts.
func ProjectPathKey(path string) string { return strings.ToLower(path) }
