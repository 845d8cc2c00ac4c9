package gitlab

import (
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	webBase = "https://gitlab.example.com/"
	// ProjectID and ProjectPath name the seeded project.
	ProjectID   = 1
	ProjectPath = "demo/lorehook-demo"
)

// Mira is the author of everything that names no other user.
func Mira() User { return person(21, "mira.oduya", "Mira Oduya") }

func jonas() User { return person(22, "jonas.falk", "Jonas Falk") }
func ines() User  { return person(23, "ines.carvalho", "Inês Carvalho") }
func tomas() User { return person(24, "tomas.reyk", "Tomás Reyk") }

func person(id int64, username, name string) User {
	return User{
		ID: id, Username: username, Name: name, State: "active",
		AvatarURL: webBase + "uploads/-/system/user/avatar/" + strconv.FormatInt(id, 10) + "/avatar.png",
		WebURL:    webBase + username,
	}
}

// IssueRef names an issue of the seeded project.
func IssueRef(iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: ProjectID, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

// MergeRequestRef is [IssueRef] for a merge request.
func MergeRequestRef(iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: ProjectID, Target: surgical.Target{Type: surgical.MergeRequest, IID: iid}}
}

// at returns a time in the seeded history.
func at(day, hour, minute, millisecond int) Time {
	return Time{time.Date(2026, time.May, day, hour, minute, 0, millisecond*int(time.Millisecond), time.UTC)}
}

func milestone() Milestone {
	return Milestone{
		ID: 31, IID: 4, ProjectID: ProjectID, Title: "4.2 Faster exports", Description: "Nobody waits for a spreadsheet.", State: "active",
		CreatedAt: at(2, 8, 0, 12), UpdatedAt: at(2, 8, 0, 12), DueDate: "2026-06-30", WebURL: webBase + ProjectPath + "/-/milestones/4",
	}
}

// Seed fills the state with the demo project: issues 7, 8 and 9 (confidential),
// and merge request 12.
func Seed(s *State) {
	s.AddProject(ProjectID, ProjectPath)
	seedSearchIssue(s)
	seedExportIssue(s)
	seedConfidentialIssue(s)
	seedMergeRequest(s)
}

// NewIssue returns an open issue of the demo project with GitLab's usual values.
// [State.SetIssue] gives it its link and full reference.
func NewIssue(iid int64, title, description string, created Time) Issue {
	number := strconv.FormatInt(iid, 10)
	self := webBase + "api/v4/projects/1/issues/" + number
	return Issue{
		Common: Common{
			ID: 1000 + iid, IID: iid, ProjectID: ProjectID, Title: title, Description: description, State: "opened",
			CreatedAt: created, UpdatedAt: created, Labels: []string{}, Author: Mira(), Assignees: []User{},
			ImportedFrom: "none", References: References{Short: "#" + number, Relative: "#" + number},
		},
		Type: "ISSUE", IssueType: "issue", Severity: "UNKNOWN",
		Links: map[string]string{"self": self, "notes": self + "/notes", "award_emoji": self + "/award_emoji", "project": webBase + "api/v4/projects/1"},
	}
}

// NewMergeRequest is [NewIssue] for a merge request.
func NewMergeRequest(iid int64, title, description string, created Time) MergeRequest {
	number := strconv.FormatInt(iid, 10)
	const head = "b7c4e1f09a3d5582c6e0d94f1b2a7788e5d3c901"
	const base = "2f9d0c61e88b47a1935ce0f4d7b6a3120c5e4f87"
	return MergeRequest{
		Common: Common{
			ID: 2000 + iid, IID: iid, ProjectID: ProjectID, Title: title, Description: description, State: "opened",
			CreatedAt: created, UpdatedAt: created, Labels: []string{}, Author: Mira(), Assignees: []User{},
			ImportedFrom: "none", References: References{Short: "!" + number, Relative: "!" + number},
		},
		SourceBranch: "change-" + number, TargetBranch: "main", SourceProjectID: ProjectID, TargetProjectID: ProjectID,
		Reviewers: []User{}, SHA: head, MergeStatus: "can_be_merged", DetailedMergeStatus: "mergeable", PreparedAt: created,
		DiscussionsResolved: true, ForceRemoveBranch: true, ChangesCount: "4",
		DiffRefs: DiffRefs{BaseSHA: base, HeadSHA: head, StartSHA: base}, User: map[string]bool{"can_merge": true}, Reference: "!" + number,
	}
}

// note returns a note in the seeded history.
func note(author User, when Time, body string) Note {
	return Note{Author: author, CreatedAt: when, Body: body}
}
