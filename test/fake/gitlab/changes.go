package gitlab

import (
	"hash/fnv"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The lists of resource events, named by the last segment of their path.
const (
	stateEvents     = "resource_state_events"
	labelEvents     = "resource_label_events"
	milestoneEvents = "resource_milestone_events"
)

// AddEvents adds each resource event unchanged to the list it belongs to.
// Missing ids, times and users are filled in; updated_at does not move.
func (s *State) AddEvents(ref surgical.EntityRef, events ...ResourceEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range events {
		s.addEvent(ref, ev)
	}
}

func (s *State) addEvent(ref surgical.EntityRef, ev ResourceEvent) {
	e := s.entity(ref)
	list := stateEvents
	switch {
	case ev.Label != nil:
		list = labelEvents
	case ev.Milestone != nil:
		list = milestoneEvents
	}
	if ev.ID == 0 {
		ev.ID = s.id()
	}
	if ev.CreatedAt.IsZero() {
		ev.CreatedAt = s.now()
	}
	if ev.User.ID == 0 {
		ev.User = Mira()
	}
	ev.ResourceType, ev.ResourceID = resourceType(ref), e.common().ID
	e.events[list] = append(e.events[list], ev)
}

// Relabel removes and adds labels, with an event for each actual change.
func (s *State) Relabel(ref surgical.EntityRef, add, remove []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.entity(ref).common()
	labels := slices.Clone(c.Labels)
	for _, name := range remove {
		if i := slices.Index(labels, name); i >= 0 {
			labels = slices.Delete(labels, i, i+1)
			s.addEvent(ref, ResourceEvent{Action: "remove", Label: NewLabel(name)})
		}
	}
	for _, name := range add {
		if !slices.Contains(labels, name) {
			labels = append(labels, name)
			s.addEvent(ref, ResourceEvent{Action: "add", Label: NewLabel(name)})
		}
	}
	slices.Sort(labels)
	c.Labels, c.UpdatedAt = labels, s.now()
}

// SetState closes, reopens or merges the entity, with its event.
func (s *State) SetState(ref surgical.EntityRef, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, now, who := s.entity(ref), s.now(), Mira()
	c := e.common()
	c.State, c.UpdatedAt, c.ClosedAt, c.ClosedBy = state, now, Time{}, nil
	event := state
	switch {
	case state == "closed":
		c.ClosedAt, c.ClosedBy = now, &who
	case state == "opened":
		event = "reopened"
	case state == "merged" && e.mergeRequest != nil:
		e.mergeRequest.MergedAt, e.mergeRequest.MergeUser, e.mergeRequest.MergedBy = now, &who, &who
	}
	s.addEvent(ref, ResourceEvent{State: event})
}

// NewLabel returns a label whose id and colour are derived from its name.
func NewLabel(name string) *Label {
	h := fnv.New32a()
	h.Write([]byte(name)) // never fails
	colors := []string{"#6699cc", "#cc338b", "#eee600", "#009966", "#d9534f"}
	sum := h.Sum32()
	return &Label{ID: int64(sum%900 + 100), Name: name, Color: colors[sum%uint32(len(colors))]}
}
