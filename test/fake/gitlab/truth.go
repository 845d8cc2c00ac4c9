package gitlab

import (
	"encoding/json"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Truth is an entity as GitLab's API shows it.
type Truth struct {
	Entity      json.RawMessage
	Discussions []json.RawMessage
	// Events are the lists of resource events, by the kind of their records.
	Events map[surgical.ChildKind][]json.RawMessage
}

// Truth returns the entity as it is now.
func (s *State) Truth(ref surgical.EntityRef) (Truth, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entity(ref)
	t := Truth{Events: map[surgical.ChildKind][]json.RawMessage{}}
	var err error
	if t.Entity, err = json.Marshal(e.value()); err != nil {
		return t, fmt.Errorf("encode %s: %w", ref, err)
	}
	if t.Discussions, err = encoded(e.discussions); err != nil {
		return t, fmt.Errorf("encode discussions of %s: %w", ref, err)
	}
	for list, kind := range map[string]surgical.ChildKind{
		stateEvents: surgical.KindStateEvent, labelEvents: surgical.KindLabelEvent, milestoneEvents: surgical.KindMilestoneEvent,
	} {
		if t.Events[kind], err = encoded(e.events[list]); err != nil {
			return t, fmt.Errorf("encode %s of %s: %w", list, ref, err)
		}
	}
	return t, nil
}

func encoded[T any](records []T) ([]json.RawMessage, error) {
	raws := make([]json.RawMessage, len(records))
	for i, record := range records {
		var err error
		if raws[i], err = json.Marshal(record); err != nil {
			return nil, err
		}
	}
	return raws, nil
}
