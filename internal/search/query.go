package search

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Query is a question. Text or SimilarTo is set.
type Query struct {
	// Text is in the words of a person. It has no operators: see [Parse].
	Text string `json:"text,omitempty"`
	// SimilarTo asks for entities that resemble this one, which is never a hit.
	SimilarTo *surgical.EntityRef `json:"similar_to,omitempty"`
	Filter    Filter              `json:"filter,omitzero"`
	// Limit is how many hits a page has at most.
	Limit int `json:"limit"`
	// From is how many of the ranked entities earlier pages went through.
	From int `json:"from,omitempty"`
}

// Filter restricts the hits. What is not set restricts nothing.
type Filter struct {
	// Projects are the only projects of the hits; nil means every project.
	Projects []int64             `json:"projects,omitempty"`
	Type     surgical.EntityType `json:"type,omitempty"`
	State    string              `json:"state,omitempty"`
	// Labels are labels that a hit has, all of them. Case matters: to GitLab, Bug and bug
	// are different labels. An engine may ignore it, because hits are compared again.
	Labels []string `json:"labels,omitempty"`
	// Author is the user name of who created the entity.
	Author string `json:"author,omitempty"`
	// Hits were created and updated in these ranges, which include their first time
	// and exclude their last.
	Created Range `json:"created,omitzero"`
	Updated Range `json:"updated,omitzero"`
}

// Range is a range of times; a zero time does not bound it.
type Range struct {
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Has reports whether the time is in the range. No range with a bound has the zero
// time.
func (r Range) Has(at time.Time) bool {
	if r.From.IsZero() && r.Until.IsZero() {
		return true
	}
	return !at.IsZero() && !at.Before(r.From) && (r.Until.IsZero() || at.Before(r.Until))
}

// IsZero reports whether the filter restricts nothing.
func (f Filter) IsZero() bool {
	return f.Projects == nil && f.Type == "" && f.State == "" && len(f.Labels) == 0 && f.Author == "" && f.Created == Range{} && f.Updated == Range{}
}

// Matches reports whether the filter lets the entity through.
func (f Filter) Matches(ref surgical.EntityRef, facets Facets) bool {
	switch {
	case f.Projects != nil && !slices.Contains(f.Projects, ref.ProjectID),
		f.Type != "" && f.Type != ref.Type,
		f.State != "" && f.State != facets.State,
		f.Author != "" && !strings.EqualFold(f.Author, facets.Author),
		!f.Created.Has(facets.CreatedAt), !f.Updated.Has(facets.UpdatedAt):
		return false
	}
	for _, label := range f.Labels {
		if !slices.Contains(facets.Labels, label) {
			return false
		}
	}
	return true
}

// Fingerprint names the question, whatever the page: a cursor belongs to one.
func (q Query) Fingerprint() string {
	q.From, q.Limit = 0, 0
	raw, err := json.Marshal(q)
	if err != nil {
		panic(err) // times of GitLab and of queries have years of four digits
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}
