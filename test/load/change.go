package load

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// create puts the entity into GitLab in its initial state.
func create(gitlab *fakegitlab.State, random *rand.Rand, ref surgical.EntityRef, now fakegitlab.Time) {
	title, description := "Load: "+words(random, 6), paragraphs(random, 3)
	if ref.Type == surgical.MergeRequest {
		m := fakegitlab.NewMergeRequest(ref.IID, title, description, now)
		m.ProjectID = ref.ProjectID
		gitlab.SetMergeRequest(m)
	} else {
		i := fakegitlab.NewIssue(ref.IID, title, description, now)
		i.ProjectID = ref.ProjectID
		gitlab.SetIssue(i)
	}
	for range random.IntN(4) {
		gitlab.AddDiscussion(ref, fakegitlab.Note{Body: paragraphs(random, 1)})
	}
}

// change makes one change and returns the event that GitLab sends for it.
func change(gitlab *fakegitlab.State, random *rand.Rand, ref surgical.EntityRef) (event string, body []byte, err error) {
	sample := string(ref.Type) + "_updated"
	switch n := random.IntN(100); {
	case n < 45:
		sample = "note_" + string(ref.Type)
		comment(gitlab, random, ref)
	case n < 60:
		gitlab.Edit(ref, func(c *fakegitlab.Common) { c.Title = "Load: " + words(random, 6) })
	case n < 75:
		gitlab.Edit(ref, func(c *fakegitlab.Common) { c.Description = paragraphs(random, 1+random.IntN(8)) })
	case n < 88:
		labels := []string{"bug", "search", "priority::high", "later"}
		gitlab.Relabel(ref, []string{labels[random.IntN(4)]}, []string{labels[random.IntN(4)]})
	case n < 96 || ref.Type == surgical.MergeRequest:
		gitlab.SetState(ref, []string{"opened", "closed"}[random.IntN(2)])
	default:
		gitlab.EditIssue(ref, func(i *fakegitlab.Issue) { i.Confidential = !i.Confidential })
	}
	return payload(sample, ref)
}

// comment starts a discussion, or replies in one; some notes are internal.
func comment(gitlab *fakegitlab.State, random *rand.Rand, ref surgical.EntityRef) {
	note := fakegitlab.Note{Body: paragraphs(random, 1+random.IntN(2)), Internal: random.IntN(20) == 0}
	discussions := gitlab.Discussions(ref)
	if len(discussions) > 0 && random.IntN(3) == 0 {
		gitlab.AddNote(ref, discussions[random.IntN(len(discussions))].ID, note)
		return
	}
	gitlab.AddDiscussion(ref, note)
}

// payload returns a sample that names the entity.
func payload(name string, ref surgical.EntityRef) (event string, body []byte, err error) {
	sample, err := events.Named(name)
	if err != nil {
		return "", nil, err
	}
	var hook map[string]any
	if err := json.Unmarshal(sample.Body, &hook); err != nil {
		return "", nil, fmt.Errorf("sample %s: %w", name, err)
	}
	set := func(object string, fields map[string]any) {
		member, ok := hook[object].(map[string]any)
		if !ok {
			return
		}
		for field, value := range fields {
			if _, ok := member[field]; ok {
				member[field] = value
			}
		}
	}
	set("project", map[string]any{"id": ref.ProjectID})
	if _, ok := hook["project_id"]; ok {
		hook["project_id"] = ref.ProjectID
	}
	ids := map[string]any{"project_id": ref.ProjectID, "target_project_id": ref.ProjectID, "source_project_id": ref.ProjectID, "iid": ref.IID}
	for _, object := range []string{"object_attributes", "issue", "merge_request"} {
		set(object, ids)
	}
	body, err = json.Marshal(hook)
	return sample.Event, body, err
}

// words contains words and Markdown markup.
func words(random *rand.Rand, n int) string {
	const known = "ferry timetable harbour export queue index rows slow search page `snippet` *bold* _under_ [link](https://example.com) " +
		"# heading > quote - item 1. --- <b> & naïve 語 snake_case a|b ~~gone~~ @mira.oduya !12 #7 nightly reindex shows stale copies of pages"
	vocabulary, chosen := strings.Fields(known), make([]string, n)
	for i := range chosen {
		chosen[i] = vocabulary[random.IntN(len(vocabulary))]
	}
	return strings.Join(chosen, " ")
}

// paragraphs returns mostly short texts; one in fifty is long enough for many
// chunks.
func paragraphs(random *rand.Rand, n int) string {
	if random.IntN(50) == 0 {
		n *= 20
	}
	all := make([]string, n)
	for i := range all {
		all[i] = words(random, 8+random.IntN(60))
	}
	return strings.Join(all, "\n\n")
}
