package render

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Entity renders an issue or merge request. entity is GitLab's JSON, whose
// description is ignored in favour of the description argument. That text is
// included as [plaintext.Text] returns it.
//
// The document does not depend on updated_at or on counters. Fields that are
// missing, unknown or of an unexpected type are ignored; the last are named in
// LeftOut. JSON that is malformed, or that does not say whether the entity is
// confidential, gives a [surgical.CodeDocsFailed] error that is not retryable.
func Entity(ref surgical.EntityRef, entity json.RawMessage, description string) (surgical.Document, error) {
	a, err := surgical.ParseAttributes(entity)
	if err != nil {
		return surgical.Document{}, unreadable(ref, "JSON", err)
	}
	d := surgical.Document{
		ID:           EntityID,
		Title:        titleOf(ref.Target, a.Title),
		URL:          safeURL(a.WebURL),
		Confidential: a.Confidential,
		LeftOut:      a.LeftOut,
	}
	var p page
	p.Grow(len(description) + 1024)
	p.heading(1, inline(d.Title))
	p.WriteByte('\n')
	writeAttributes(&p, ref, a)
	p.link(d.URL)
	if description = plaintext.Text(description); strings.TrimSpace(description) != "" {
		p.rule()
		p.WriteString("\n" + description)
		if !strings.HasSuffix(description, "\n") {
			p.WriteByte('\n')
		}
	}
	d.Text = p.String()
	return sealed(d), nil
}

func writeAttributes(p *page, ref surgical.EntityRef, a surgical.Attributes) {
	name, _ := kind(ref.Target)
	if ref.Type == surgical.Issue && a.IssueType != "" {
		name = inline(a.IssueType)
	}
	p.field("Type", name)
	p.place("Reference", ref)
	p.field("State", inline(a.State))
	p.flag("Draft", a.Draft)
	p.flag("Confidential", a.Confidential)
	p.field("Labels", labels(a.Labels))
	p.field("Milestone", inline(a.Milestone))
	p.field("Author", person(a.Author))
	p.field("Assignees", people(byUsername(a.Assignees)))
	if ref.Type == surgical.MergeRequest {
		p.field("Reviewers", people(byUsername(a.Reviewers)))
		p.field("Source branch", inline(a.SourceBranch))
		p.field("Target branch", inline(a.TargetBranch))
	}
	p.field("Created", date(a.CreatedAt))
	p.field("Closed", date(a.ClosedAt))
	p.field("Merged", date(a.MergedAt))
	p.field("Due", date(a.DueDate))
	if a.MovedTo > 0 {
		p.field("Moved to", "the issue with GitLab's id "+strconv.FormatInt(a.MovedTo, 10))
	}
}

// labels returns the labels as escaped text, sorted and without duplicates.
func labels(names []string) string {
	shown := make([]string, 0, len(names))
	for _, n := range names {
		if s := inline(n); s != "" {
			shown = append(shown, s)
		}
	}
	slices.Sort(shown)
	return strings.Join(slices.Compact(shown), ", ")
}

// byUsername returns users in an order that does not depend on GitLab.
func byUsername(users []surgical.User) []surgical.User {
	return slices.SortedStableFunc(slices.Values(users), func(a, b surgical.User) int {
		if c := strings.Compare(a.Username, b.Username); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
}
