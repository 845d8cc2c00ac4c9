package gitlab

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// touchInterval is that of GitLab's ThrottledTouch: a note moves its parent's
// updated_at at most once in this time.
const touchInterval = time.Minute

// State is the demo GitLab's data. It is safe for concurrent use. Its methods
// panic if an entity does not exist, because only a broken test or demo names
// one.
type State struct {
	clock    func() time.Time
	mu       sync.Mutex
	nextID   int64
	projects map[int64]*project
	groups   []*group
	entities map[surgical.EntityRef]*entity
}

type project struct {
	id       int64
	path     string
	oldPaths []string
	hooks    []*hook
	// hidden means that the token does not see it.
	hidden                    bool
	noIssues, noMergeRequests bool
}

type group struct {
	id     int64
	path   string
	hooks  []*hook
	hidden bool
}

type entity struct {
	// hidden means that the token does not see it.
	hidden       bool
	issue        *Issue
	mergeRequest *MergeRequest
	discussions  []Discussion
	events       map[string][]ResourceEvent // by the last segment of their path
}

func (e *entity) common() *Common {
	if e.issue != nil {
		return &e.issue.Common
	}
	return &e.mergeRequest.Common
}

func (e *entity) value() any {
	if e.issue != nil {
		return e.issue
	}
	return e.mergeRequest
}

// NewState returns an empty GitLab. The clock provides the times of later
// additions.
func NewState(clock func() time.Time) *State {
	return &State{clock: clock, nextID: 9000, projects: map[int64]*project{}, entities: map[surgical.EntityRef]*entity{}}
}

// AddProject adds or renames a project, and adds the groups that its path names.
// Its former paths redirect.
func (s *State) AddProject(id int64, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addGroups(path)
	if p, ok := s.projects[id]; ok {
		p.oldPaths, p.path = append(p.oldPaths, p.path), path
		for ref, e := range s.entities {
			if ref.ProjectID == id {
				p.locate(ref, e.common())
			}
		}
		return
	}
	s.projects[id] = &project{id: id, path: path}
}

// firstGroup is the id of the first group.
const firstGroup = 501

// addGroups adds the groups above a project that do not exist yet.
func (s *State) addGroups(projectPath string) {
	for i, r := range projectPath {
		path := projectPath[:i]
		if r == '/' && !slices.ContainsFunc(s.groups, func(g *group) bool { return g.path == path }) {
			s.groups = append(s.groups, &group{id: firstGroup + int64(len(s.groups)), path: path})
		}
	}
}

// SwitchOff switches the project's issues or merge requests on or off.
func (s *State) SwitchOff(projectID int64, noIssues, noMergeRequests bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.projects[projectID]
	p.noIssues, p.noMergeRequests = noIssues, noMergeRequests
}

// HideProject takes the project and all that is in it out of the token's sight, or
// shows it again.
func (s *State) HideProject(projectID int64, hidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.projects[projectID].hidden = hidden
}

// HideEntity takes the entity out of the token's sight, or shows it again.
func (s *State) HideEntity(ref surgical.EntityRef, hidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entity(ref).hidden = hidden
}

// SetIssue adds the issue, or replaces its attributes and keeps its discussions
// and events. Its link and full reference follow from its project unless they are
// set; other empty fields stay empty.
func (s *State) SetIssue(i Issue) {
	s.set(surgical.EntityRef{ProjectID: i.ProjectID, Target: surgical.Target{Type: surgical.Issue, IID: i.IID}}, func(e *entity) { e.issue = &i })
}

// SetMergeRequest is [State.SetIssue] for a merge request.
func (s *State) SetMergeRequest(m MergeRequest) {
	s.set(surgical.EntityRef{ProjectID: m.ProjectID, Target: surgical.Target{Type: surgical.MergeRequest, IID: m.IID}}, func(e *entity) { e.mergeRequest = &m })
}

func (s *State) set(ref surgical.EntityRef, put func(*entity)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.projects[ref.ProjectID] == nil {
		p := &project{id: ref.ProjectID, path: fmt.Sprintf("demo/project-%d", ref.ProjectID)}
		s.projects[p.id] = p
		s.addGroups(p.path)
	}
	if s.entities[ref] == nil {
		s.entities[ref] = &entity{events: map[string][]ResourceEvent{}}
	}
	put(s.entities[ref])
	if c := s.entities[ref].common(); c.WebURL == "" && c.References.Full == "" {
		s.projects[ref.ProjectID].locate(ref, c)
	}
}

// locate sets what the path of the project decides of an entity.
func (p *project) locate(ref surgical.EntityRef, c *Common) {
	c.WebURL = fmt.Sprintf("%s%s/-/%ss/%d", webBase, p.path, ref.Type, ref.IID)
	c.References.Full = p.path + ref.Target.Short()
}

// Has reports whether the entity exists.
func (s *State) Has(ref surgical.EntityRef) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entities[ref] != nil
}

// UpdatedAt returns the entity's updated_at.
func (s *State) UpdatedAt(ref surgical.EntityRef) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entity(ref).common().UpdatedAt.Time
}

// Edit changes the attributes in [Common], and moves updated_at.
func (s *State) Edit(ref surgical.EntityRef, change func(*Common)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.entity(ref).common()
	change(c)
	c.UpdatedAt = s.now()
}

// EditIssue changes an issue and moves updated_at.
func (s *State) EditIssue(ref surgical.EntityRef, change func(*Issue)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.entity(ref).issue
	change(i)
	i.UpdatedAt = s.now()
}

// Delete removes the entity; requests for it get 404 from then on.
func (s *State) Delete(ref surgical.EntityRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entities, ref)
}

// AddDiscussion starts a discussion with the notes and returns its id. With
// more than one note it is a thread.
func (s *State) AddDiscussion(ref surgical.EntityRef, notes ...Note) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entity(ref)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", ref.Key(), s.nextID))
	d := Discussion{ID: hex.EncodeToString(sum[:20]), IndividualNote: len(notes) == 1}
	for _, n := range notes {
		d.Notes = append(d.Notes, s.complete(n, ref, e, len(notes) > 1))
	}
	e.discussions = append(e.discussions, d)
	touch(e, d.Notes)
	return d.ID
}

// AddNote adds a reply to a discussion and returns its id.
func (s *State) AddNote(ref surgical.EntityRef, discussionID string, n Note) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entity(ref)
	i := slices.IndexFunc(e.discussions, func(d Discussion) bool { return d.ID == discussionID })
	if i < 0 {
		panic("fakegitlab: no discussion " + discussionID)
	}
	n = s.complete(n, ref, e, true)
	d := &e.discussions[i]
	d.Notes, d.IndividualNote = append(slices.Clone(d.Notes), n), false
	touch(e, []Note{n})
	return n.ID
}

// EditNote changes the text of a note. It moves the note's updated_at, but not the
// entity's within [touchInterval] of its last move.
func (s *State) EditNote(ref surgical.EntityRef, id int64, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entity(ref)
	e.changeNote(id, func(n Note) (Note, bool) { n.Body, n.UpdatedAt = body, s.now(); return n, true })
	if c, now := e.common(), s.now(); now.Sub(c.UpdatedAt.Time) >= touchInterval {
		c.UpdatedAt = now
	}
}

// DeleteNote removes a note, and its discussion if it was the only one. As in GitLab
// this moves no updated_at and sends no event.
func (s *State) DeleteNote(ref surgical.EntityRef, id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entity(ref)
	e.changeNote(id, func(n Note) (Note, bool) { return n, false })
	e.common().UserNotesCount = userNotes(e)
}

// changeNote replaces the note, or removes it if change returns false. It panics if
// there is no such note. Responses that are being rendered keep what they have.
func (e *entity) changeNote(id int64, change func(Note) (Note, bool)) {
	e.discussions = slices.Clone(e.discussions)
	for i := range e.discussions {
		d := &e.discussions[i]
		at := slices.IndexFunc(d.Notes, func(n Note) bool { return n.ID == id })
		if at < 0 {
			continue
		}
		changed, kept := change(d.Notes[at])
		d.Notes = slices.Clone(d.Notes)
		if kept {
			d.Notes[at] = changed
		} else if d.Notes = slices.Delete(d.Notes, at, at+1); len(d.Notes) == 0 {
			e.discussions = slices.Delete(e.discussions, i, i+1)
		}
		return
	}
	panic(fmt.Sprintf("fakegitlab: no note %d", id))
}

// Move moves an issue to another project and returns its new name. The old one stays,
// closed, and points to the new one.
func (s *State) Move(ref surgical.EntityRef, project int64) surgical.EntityRef {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, target := s.entity(ref), s.projects[project]
	if target == nil {
		panic(fmt.Sprintf("fakegitlab: no project %d", project))
	}
	moved := *old.issue
	moved.ProjectID, moved.ID, moved.IID = project, s.id(), 1
	for other := range s.entities {
		if other.ProjectID == project && other.Type == surgical.Issue {
			moved.IID = max(moved.IID, other.IID+1)
		}
	}
	number := strconv.FormatInt(moved.IID, 10)
	moved.References = References{Short: "#" + number, Relative: "#" + number}
	moved.UpdatedAt = s.now()
	to := surgical.EntityRef{ProjectID: project, Target: surgical.Target{Type: surgical.Issue, IID: moved.IID}}
	target.locate(to, &moved.Common)
	s.entities[to] = &entity{issue: &moved, discussions: slices.Clone(old.discussions), events: map[string][]ResourceEvent{}}
	left := *old.issue
	left.State, left.MovedToID, left.UpdatedAt, left.ClosedAt = "closed", &moved.ID, s.now(), s.now()
	old.issue = &left
	s.addEvent(ref, ResourceEvent{State: "closed"})
	return to
}

// Fill adds issues with the iids from first on to a project, each a second newer than
// the one before, with one comment for every two of them.
func (s *State) Fill(project, first int64, n int) {
	began := s.clock().UTC().Add(-time.Duration(n) * time.Second)
	for i := range n {
		created := Time{began.Add(time.Duration(i) * time.Second)}
		issue := NewIssue(first+int64(i), fmt.Sprintf("Generated issue %d", first+int64(i)), "One of many.", created)
		issue.ProjectID = project
		s.SetIssue(issue)
		if i%2 == 0 {
			ref := surgical.EntityRef{ProjectID: project, Target: surgical.Target{Type: surgical.Issue, IID: issue.IID}}
			s.AddDiscussion(ref, Note{Body: "A comment.", CreatedAt: created})
		}
	}
}

// DeleteDiscussion removes a discussion. As in GitLab this moves no updated_at
// and sends no event.
func (s *State) DeleteDiscussion(ref surgical.EntityRef, discussionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entity(ref)
	e.discussions = slices.DeleteFunc(slices.Clone(e.discussions), func(d Discussion) bool { return d.ID == discussionID })
	e.common().UserNotesCount = userNotes(e)
}

// Discussions returns the entity's discussions.
func (s *State) Discussions(ref surgical.EntityRef) []Discussion {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entity(ref).discussions)
}

func (s *State) entity(ref surgical.EntityRef) *entity {
	e := s.entities[ref]
	if e == nil {
		panic("fakegitlab: no " + ref.String())
	}
	return e
}

func (s *State) now() Time { return Time{s.clock().UTC()} }

func (s *State) id() int64 {
	s.nextID++
	return s.nextID
}

// complete fills in a note's empty fields.
func (s *State) complete(n Note, ref surgical.EntityRef, e *entity, thread bool) Note {
	n.ID = s.id()
	if n.CreatedAt.IsZero() {
		n.CreatedAt = s.now()
	}
	if n.UpdatedAt.IsZero() {
		n.UpdatedAt = n.CreatedAt
	}
	if n.Author.ID == 0 {
		n.Author = Mira()
	}
	if thread && n.Type == nil {
		n.Type = new("DiscussionNote")
	}
	n.NoteableID, n.NoteableType, n.ProjectID, n.NoteableIID = e.common().ID, resourceType(ref), ref.ProjectID, ref.IID
	n.Confidential = n.Internal
	n.ImportedFrom = "none"
	return n
}

func resourceType(ref surgical.EntityRef) string {
	if ref.Type == surgical.MergeRequest {
		return "MergeRequest"
	}
	return "Issue"
}

// touch updates the parent of a new note.
func touch(e *entity, notes []Note) {
	c := e.common()
	for _, n := range notes {
		if !n.System {
			c.UserNotesCount++
		}
		if n.CreatedAt.Sub(c.UpdatedAt.Time) >= touchInterval {
			c.UpdatedAt = n.CreatedAt
		}
	}
}

func userNotes(e *entity) int {
	count := 0
	for _, d := range e.discussions {
		for _, n := range d.Notes {
			if !n.System {
				count++
			}
		}
	}
	return count
}

// Redate sets the entity's updated_at, as owners and importers may.
func (s *State) Redate(ref surgical.EntityRef, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entity(ref).common().UpdatedAt = Time{at}
}
