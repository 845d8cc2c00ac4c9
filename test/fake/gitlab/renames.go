package gitlab

import "reflect"

// RenameLabel gives a label another name wherever it is used, as GitLab does: no date
// moves, there is no event, and nothing is delivered.
func (s *State) RenameLabel(from, to string) {
	everywhere(s, func(c *Common) {
		for i, name := range c.Labels {
			if name == from {
				c.Labels[i] = to
			}
		}
	})
	everywhere(s, func(l *Label) {
		if l.Name == from {
			l.Name = to
		}
	})
}

// RenameMilestone is [State.RenameLabel] for the title of a milestone.
func (s *State) RenameMilestone(from, to string) {
	everywhere(s, func(m *Milestone) {
		if m.Title == from {
			m.Title = to
		}
	})
}

// RenameUser is [State.RenameLabel] for a username.
func (s *State) RenameUser(from, to string) {
	everywhere(s, func(u *User) {
		if u.Username == from {
			u.Username = to
		}
	})
}

// everywhere applies the change to every T in the data; one that several places share
// is changed once for each.
func everywhere[T any](s *State, change func(*T)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entities {
		each(reflect.ValueOf(e.value()), change)
		each(reflect.ValueOf(e.discussions), change)
		for _, events := range e.events {
			each(reflect.ValueOf(events), change)
		}
	}
}

func each[T any](v reflect.Value, change func(*T)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			each(v.Elem(), change)
		}
	case reflect.Slice:
		for i := range v.Len() {
			each(v.Index(i), change)
		}
	case reflect.Struct:
		if found, ok := v.Addr().Interface().(*T); ok {
			change(found)
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				each(v.Field(i), change)
			}
		}
	}
}
