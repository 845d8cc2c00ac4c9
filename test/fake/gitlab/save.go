package gitlab

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// saved is everything that a [State] holds, as JSON.
type saved struct {
	NextID   int64          `json:"next_id"`
	Projects []savedProject `json:"projects"`
	Groups   []savedGroup   `json:"groups"`
	Entities []savedEntity  `json:"entities"`
}

type savedProject struct {
	ID              int64       `json:"id"`
	Path            string      `json:"path"`
	OldPaths        []string    `json:"old_paths"`
	Hooks           []savedHook `json:"hooks"`
	Hidden          bool        `json:"hidden"`
	NoIssues        bool        `json:"no_issues"`
	NoMergeRequests bool        `json:"no_merge_requests"`
}

type savedGroup struct {
	ID     int64       `json:"id"`
	Path   string      `json:"path"`
	Hooks  []savedHook `json:"hooks"`
	Hidden bool        `json:"hidden"`
}

type savedHook struct {
	Hook
	Token        string       `json:"token"`
	SigningToken string       `json:"signing_token"`
	Failures     int          `json:"failures"`
	Log          []savedEvent `json:"log"`
}

type savedEvent struct {
	HookEvent
	At time.Time `json:"at"`
}

type savedEntity struct {
	Ref          surgical.EntityRef         `json:"ref"`
	Hidden       bool                       `json:"hidden"`
	Issue        *Issue                     `json:"issue,omitempty"`
	MergeRequest *MergeRequest              `json:"merge_request,omitempty"`
	Discussions  []Discussion               `json:"discussions"`
	Events       map[string][]ResourceEvent `json:"events"`
}

// Save writes everything that the state holds, for [State.Load].
func (s *State) Save(w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := saved{NextID: s.nextID}
	for _, id := range slices.Sorted(maps.Keys(s.projects)) {
		p := s.projects[id]
		all.Projects = append(all.Projects, savedProject{
			ID: p.id, Path: p.path, OldPaths: p.oldPaths, Hooks: saveHooks(p.hooks),
			Hidden: p.hidden, NoIssues: p.noIssues, NoMergeRequests: p.noMergeRequests,
		})
	}
	for _, g := range s.groups {
		all.Groups = append(all.Groups, savedGroup{ID: g.id, Path: g.path, Hooks: saveHooks(g.hooks), Hidden: g.hidden})
	}
	for ref, e := range s.entities {
		all.Entities = append(all.Entities, savedEntity{
			Ref: ref, Hidden: e.hidden, Issue: e.issue, MergeRequest: e.mergeRequest, Discussions: e.discussions, Events: e.events,
		})
	}
	if err := json.NewEncoder(w).Encode(all); err != nil {
		return fmt.Errorf("save the demo GitLab: %w", err)
	}
	return nil
}

func saveHooks(hooks []*hook) (all []savedHook) {
	for _, h := range hooks {
		one := savedHook{Hook: h.Hook, Token: h.token, SigningToken: h.signingToken, Failures: h.failures}
		for _, e := range h.log {
			one.Log = append(one.Log, savedEvent{HookEvent: e, At: e.at})
		}
		all = append(all, one)
	}
	return all
}

// Load replaces everything that the state holds by what [State.Save] wrote. If that
// cannot be read, nothing is replaced.
func (s *State) Load(r io.Reader) error {
	var all saved
	if err := json.NewDecoder(r).Decode(&all); err != nil {
		return fmt.Errorf("load the demo GitLab: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID, s.groups = all.NextID, nil
	s.projects, s.entities = map[int64]*project{}, map[surgical.EntityRef]*entity{}
	for _, p := range all.Projects {
		s.projects[p.ID] = &project{
			id: p.ID, path: p.Path, oldPaths: p.OldPaths, hooks: loadHooks(p.Hooks),
			hidden: p.Hidden, noIssues: p.NoIssues, noMergeRequests: p.NoMergeRequests,
		}
	}
	for _, g := range all.Groups {
		s.groups = append(s.groups, &group{id: g.ID, path: g.Path, hooks: loadHooks(g.Hooks), hidden: g.Hidden})
	}
	for _, e := range all.Entities {
		s.entities[e.Ref] = &entity{hidden: e.Hidden, issue: e.Issue, mergeRequest: e.MergeRequest, discussions: e.Discussions, events: e.Events}
	}
	return nil
}

func loadHooks(all []savedHook) (hooks []*hook) {
	for _, one := range all {
		h := &hook{Hook: one.Hook, token: one.Token, signingToken: one.SigningToken, failures: one.Failures}
		for _, e := range one.Log {
			e.at = e.At
			h.log = append(h.log, e.HookEvent)
		}
		hooks = append(hooks, h)
	}
	return hooks
}
