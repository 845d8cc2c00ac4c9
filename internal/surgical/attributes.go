package surgical

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/record"
)

// Attributes are the fields of an entity that the head carries and documents
// are rendered from. Times are as GitLab wrote them.
type Attributes struct {
	Title        string
	State        string
	WebURL       string
	Confidential bool
	IssueType    string
	Labels       []string
	Author       *User
	Assignees    []User
	Reviewers    []User
	// Milestone is its title.
	Milestone    string
	CreatedAt    string
	ClosedAt     string
	MergedAt     string
	DueDate      string
	Draft        bool
	SourceBranch string
	TargetBranch string
	Description  string
	// LeftOut describes the fields above that have a type which GitLab does not
	// document, and are empty for that reason, and those that are cut.
	LeftOut []string
	// MovedTo is GitLab's id (not the iid) of the issue that this one was moved to, 0
	// if it was not. A moved issue stays in its place, closed.
	MovedTo int64
}

// User is a person as GitLab shows them.
type User struct {
	Username string
	Name     string
}

// ParseAttributes reads GitLab's JSON of an issue or merge request. A field that
// is only displayed is left empty if it is absent, null or of an unexpected type.
// It is an error if the JSON is not an object, or if confidential is neither a
// boolean nor null.
func ParseAttributes(raw json.RawMessage) (Attributes, error) {
	f, ok := record.Read(raw)
	if !ok {
		return Attributes{}, errors.New("decode entity: it is not a JSON object")
	}
	confidential, err := f.Access("confidential")
	if err != nil {
		return Attributes{}, fmt.Errorf("decode entity: %w", err)
	}
	a := Attributes{
		Title: f.Text("title"), State: f.Text("state"), WebURL: f.Text("web_url"), Confidential: confidential,
		IssueType: f.Text("issue_type"), Labels: f.Names("labels"),
		Author: UserOf(f, "author"), Assignees: usersOf(f, "assignees"), Reviewers: usersOf(f, "reviewers"),
		CreatedAt: f.Text("created_at"), ClosedAt: f.Text("closed_at"), MergedAt: f.Text("merged_at"), DueDate: f.Text("due_date"),
		Draft: f.Flag("draft"), SourceBranch: f.Text("source_branch"), TargetBranch: f.Text("target_branch"),
		Description: f.Text("description"), MovedTo: max(0, f.Integer("moved_to_id")),
	}
	if milestone, ok := f.Object("milestone"); ok {
		a.Milestone = milestone.Text("title")
	}
	a.shorten(f)
	a.LeftOut = f.Odd()
	return a, nil
}

// shorten cuts what is too long to be shown, with a mark where it was cut.
func (a *Attributes) shorten(f record.Fields) {
	for _, shown := range []struct {
		name string
		text *string
	}{
		{"title", &a.Title}, {"state", &a.State}, {"issue_type", &a.IssueType}, {"milestone", &a.Milestone},
		{"source_branch", &a.SourceBranch}, {"target_branch", &a.TargetBranch},
		{"closed_at", &a.ClosedAt}, {"merged_at", &a.MergedAt}, {"due_date", &a.DueDate},
	} {
		whole := *shown.text
		if *shown.text = Shorten(whole, MaxShown); *shown.text != whole {
			f.LeaveOut(fmt.Sprintf("%s is cut: %d of %d characters are shown", shown.name, MaxShown, utf8.RuneCountInString(whole)))
		}
	}
	if _, ok := ParseTime(a.CreatedAt); a.CreatedAt != "" && (!ok || len(a.CreatedAt) > maxTime) {
		a.CreatedAt = ""
		f.LeaveOut("created_at is left out: it is not a time")
	}
	if utf8.RuneCountInString(a.WebURL) > MaxShown {
		a.WebURL = ""
		f.LeaveOut(fmt.Sprintf("web_url is left out: it has more than %d characters", MaxShown))
	}
	if i := fitting(a.Labels, func(label string) int { return len(label) }); i < len(a.Labels) {
		f.LeaveOut(fmt.Sprintf("labels are cut: %d of %d are shown", i, len(a.Labels)))
		a.Labels = append(a.Labels[:i:i], fmt.Sprintf("… and %d more labels", len(a.Labels)-i))
	}
	for _, shown := range []struct {
		name  string
		users *[]User
	}{{"assignees", &a.Assignees}, {"reviewers", &a.Reviewers}} {
		users := *shown.users
		for i := range users {
			users[i].shorten()
		}
		if i := fitting(users, func(u User) int { return len(u.Username) + len(u.Name) }); i < len(users) {
			f.LeaveOut(fmt.Sprintf("%s are cut: %d of %d are shown", shown.name, i, len(users)))
			*shown.users = append(users[:i:i], User{Username: fmt.Sprintf("… and %d more", len(users)-i)})
		}
	}
}

// maxTime is the longest text that is a time. GitLab's have at most 29 characters.
const maxTime = 64

// fitting returns how many elements of a list are shown.
func fitting[T any](list []T, size func(T) int) int {
	bytes := 0
	for i, element := range list {
		if bytes += size(element); bytes > MaxShownList {
			return i
		}
	}
	return len(list)
}

func (u *User) shorten() {
	u.Username, u.Name = Shorten(u.Username, MaxShown), Shorten(u.Name, MaxShown)
}

// Shorten returns the text, or if it has more than limit characters the first of
// them with an ellipsis in place of the rest.
func Shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	shown := 0
	for at := range text {
		if shown == limit {
			return text[:at] + "…"
		}
		shown++
	}
	return text
}

// UserOf returns the person in a field of a record, or nil if there is none.
func UserOf(f record.Fields, field string) *User {
	user, ok := f.Object(field)
	if !ok {
		return nil
	}
	u := &User{Username: user.Text("username"), Name: user.Text("name")}
	u.shorten()
	return u
}

func usersOf(f record.Fields, field string) []User {
	var users []User
	for _, user := range f.Objects(field) {
		if u := (User{Username: user.Text("username"), Name: user.Text("name")}); u != (User{}) {
			users = append(users, u)
		}
	}
	return users
}
