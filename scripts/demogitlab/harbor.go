package main

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/corpus"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// harbor adds the projects of the corpus: issues and merge requests worth reading.
func harbor(gitlab *fakegitlab.State) error {
	entities, err := corpus.Harbor()
	if err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	named := map[int64]bool{}
	for _, e := range entities {
		if !named[e.Project] {
			gitlab.AddProject(e.Project, e.Path)
			named[e.Project] = true
		}
		add(gitlab, e)
	}
	return nil
}

func add(gitlab *fakegitlab.State, e corpus.Entity) {
	created := fakegitlab.Time{Time: e.CreatedAt}
	if e.Type == surgical.Issue {
		issue := fakegitlab.NewIssue(e.IID, e.Title, e.Description, created)
		fill(&issue.Common, e)
		gitlab.SetIssue(issue)
	} else {
		mr := fakegitlab.NewMergeRequest(e.IID, e.Title, e.Description, created)
		fill(&mr.Common, e)
		mr.SourceProjectID, mr.TargetProjectID, mr.SourceBranch = e.Project, e.Project, branch(e.Title)
		if e.State == "merged" {
			mr.MergedAt = mr.UpdatedAt
		}
		gitlab.SetMergeRequest(mr)
	}
	for _, label := range e.Labels {
		gitlab.AddEvents(e.Ref(), fakegitlab.ResourceEvent{User: user(e.Author), CreatedAt: created, Action: "add", Label: fakegitlab.NewLabel(label)})
	}
	for _, discussion := range e.Discussions {
		var notes []fakegitlab.Note
		for _, n := range discussion {
			notes = append(notes, fakegitlab.Note{Author: user(n.Author), CreatedAt: fakegitlab.Time{Time: n.CreatedAt}, Body: n.Body})
		}
		gitlab.AddDiscussion(e.Ref(), notes...)
	}
	if e.State == "closed" || e.State == "merged" {
		gitlab.AddEvents(e.Ref(), fakegitlab.ResourceEvent{User: user(e.Author), CreatedAt: fakegitlab.Time{Time: last(e)}, State: e.State})
	}
}

func fill(c *fakegitlab.Common, e corpus.Entity) {
	c.ID, c.ProjectID, c.Labels, c.Author = e.Project*1000+e.IID, e.Project, append([]string{}, e.Labels...), user(e.Author)
	c.UpdatedAt = fakegitlab.Time{Time: last(e)}
	if e.State != "" {
		c.State = e.State
	}
	if c.State == "closed" {
		c.ClosedAt = c.UpdatedAt
	}
}

// last is when something last happened to the entity.
func last(e corpus.Entity) time.Time {
	at := e.CreatedAt
	for _, discussion := range e.Discussions {
		for _, n := range discussion {
			if n.CreatedAt.After(at) {
				at = n.CreatedAt
			}
		}
	}
	return at
}

// user is the person with the user name, such as ines.carvalho.
func user(name string) fakegitlab.User {
	h := fnv.New32a()
	h.Write([]byte(name)) // never fails
	words := strings.Split(name, ".")
	for i, word := range words {
		if word != "" {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return fakegitlab.User{
		ID: int64(h.Sum32()%90_000) + 1000, Username: name, Name: strings.Join(words, " "), State: "active", WebURL: "https://gitlab.example.com/" + name,
	}
}

// branch is a branch that is named after a title.
func branch(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	if len(words) == 0 {
		return "change"
	}
	return strings.Join(words[:min(4, len(words))], "-")
}
