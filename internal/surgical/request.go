package surgical

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EntityType is one of the two kinds of entity. Its values are used in keys,
// in JSON and in log lines.
type EntityType string

// The entity types.
const (
	Issue        EntityType = "issue"
	MergeRequest EntityType = "merge_request"
)

// Valid reports whether t is one of the known entity types.
func (t EntityType) Valid() bool { return t == Issue || t == MergeRequest }

// Target is one entity within the project of a request.
type Target struct {
	Type EntityType `json:"type"`
	IID  int64      `json:"iid"`
}

// String returns the target as written in keys and messages: "issue#7".
func (t Target) String() string { return string(t.Type) + "#" + strconv.FormatInt(t.IID, 10) }

// Short returns the target as GitLab abbreviates it within its project: "#7" for an
// issue, "!7" for a merge request.
func (t Target) Short() string {
	sign := "#"
	if t.Type == MergeRequest {
		sign = "!"
	}
	return sign + strconv.FormatInt(t.IID, 10)
}

// Compare orders targets by type, then iid.
func (t Target) Compare(o Target) int {
	return cmp.Or(cmp.Compare(t.Type, o.Type), cmp.Compare(t.IID, o.IID))
}

// ParseTarget is the inverse of [Target.String]: a target has one text.
func ParseTarget(s string) (Target, error) {
	typ, iid, _ := strings.Cut(s, "#")
	n, err := strconv.ParseInt(iid, 10, 64)
	t := Target{Type: EntityType(typ), IID: n}
	if err != nil || n <= 0 || !t.Type.Valid() || t.String() != s {
		return Target{}, fmt.Errorf("%q is not a target such as issue#7", s)
	}
	return t, nil
}

// EntityRef identifies one entity in GitLab. Project ids are GitLab's numbers.
type EntityRef struct {
	ProjectID int64
	Target
}

// String returns the reference as written in messages: "project 1 issue#7".
func (r EntityRef) String() string {
	return "project " + strconv.FormatInt(r.ProjectID, 10) + " " + r.Target.String()
}

// Key returns the reference as written in keys: "1#issue#7".
func (r EntityRef) Key() string { return strconv.FormatInt(r.ProjectID, 10) + "#" + r.Target.String() }

// ParseEntityRef is the inverse of [EntityRef.Key]: an entity has one key.
func ParseEntityRef(s string) (EntityRef, error) {
	project, target, _ := strings.Cut(s, "#")
	id, err := strconv.ParseInt(project, 10, 64)
	t, targetErr := ParseTarget(target)
	ref := EntityRef{ProjectID: id, Target: t}
	if err != nil || id <= 0 || targetErr != nil || ref.Key() != s {
		return EntityRef{}, fmt.Errorf("%q is not an entity such as 1#issue#7", s)
	}
	return ref, nil
}

// Options restrict what a run does.
type Options struct {
	// PreflightOnly fetches, reports and writes no content.
	PreflightOnly bool `json:"preflight_only,omitempty"`
	// DryRun returns only the plan: no fetch, no message, no write.
	DryRun bool `json:"dry_run,omitempty"`
	// NoDocs leaves documents (and so embeddings) to a later drain.
	NoDocs bool `json:"no_docs,omitempty"`
	// NoEmbed leaves embeddings to a later drain.
	NoEmbed bool `json:"no_embed,omitempty"`
}

// Request requests one run.
type Request struct {
	RunID     string   `json:"run_id"`
	ProjectID int64    `json:"project_id"`
	Targets   []Target `json:"targets"`
	Options   Options  `json:"options,omitzero"`
	Origin    Origin   `json:"origin"`
	// EventAt is when the event was received, or the request accepted. A fetch
	// covers the event if it began later than this plus the settle time.
	EventAt time.Time `json:"event_at"`
	// IdempotencyKey is the sender's name for the delivery or the request, from
	// which RunID was derived.
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// Evidence is what the event says about the state that it announces; of a
	// request with one target only.
	Evidence Evidence `json:"evidence,omitzero"`
	// NotBefore is the earliest time at which a follow-up may fetch. If Confirms is
	// set, no earlier fetch covers it.
	NotBefore time.Time `json:"not_before,omitzero"`
	Confirms  bool      `json:"confirms,omitempty"`
	// Hides marks a hide request: the second message of a delivery that calls its
	// issue confidential. It has no run, and only hides the copy until a later
	// fetch. A worker of an earlier version takes it for the first message.
	Hides bool `json:"hides,omitempty"`
	// RetryOf is the run that this one retries.
	RetryOf string `json:"retry_of,omitempty"`
	// TraceParent is the W3C traceparent of the requester, or "". It is sent in an
	// attribute of the message, not in its body.
	TraceParent string `json:"-"`
}

// Refs returns the request's targets as entity references, in their order.
func (r Request) Refs() []EntityRef {
	refs := make([]EntityRef, len(r.Targets))
	for i, t := range r.Targets {
		refs[i] = EntityRef{ProjectID: r.ProjectID, Target: t}
	}
	return refs
}

// Group is the FIFO group that the request's message belongs to: the entity,
// or the run for several targets. Hide requests have groups of their own, so that
// none waits behind a fetch.
func (r Request) Group() string {
	switch {
	case len(r.Targets) != 1:
		return r.RunID
	case r.Hides:
		return "hide#" + r.Refs()[0].Key()
	}
	return r.Refs()[0].Key()
}

// MessageID names the request's message: the same message may be sent twice.
func (r Request) MessageID() string {
	if r.Hides {
		return r.RunID + ".hide"
	}
	return r.RunID
}

// HideRequest returns the hide request of the same delivery.
func (r Request) HideRequest() Request {
	r.Hides = true
	return r
}

// Validate reports everything that is wrong with the request as one
// [CodeInvalidRequest] error that names the offending values.
func (r Request) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.RunID == "" {
		bad("run_id is missing")
	}
	if r.ProjectID <= 0 {
		bad("project_id must be positive, got %d", r.ProjectID)
	}
	if n := len(r.Targets); n == 0 || n > MaxTargets {
		bad("a request names 1 to %d targets, got %d", MaxTargets, n)
	}
	seen := make(map[Target]bool, len(r.Targets))
	for _, t := range r.Targets {
		switch {
		case !t.Type.Valid():
			bad("target type must be issue or merge_request, got %q", t.Type)
		case t.IID <= 0:
			bad("iid must be positive, got %d", t.IID)
		case seen[t]:
			bad("target %s is named twice", t)
		}
		seen[t] = true
	}
	if !slices.Contains(Origins(), r.Origin) {
		bad("origin %q is unknown", r.Origin)
	}
	if r.EventAt.IsZero() {
		bad("event_at is missing")
	}
	if r.Hides && len(r.Targets) != 1 {
		bad("a hide request names one target, got %d", len(r.Targets))
	}
	if o := r.Options; o.PreflightOnly && o.DryRun {
		bad("preflight_only and dry_run exclude each other")
	} else if o.NoDocs && !o.NoEmbed {
		bad("no_docs requires no_embed")
	}
	if len(errs) == 0 {
		return nil
	}
	return NewError(CodeInvalidRequest, errors.Join(errs...).Error())
}

// SameEntities reports whether both requests name the same targets of the same
// project, in any order.
func (r Request) SameEntities(o Request) bool {
	return r.ProjectID == o.ProjectID && slices.Equal(sorted(r.Targets), sorted(o.Targets))
}

func sorted(targets []Target) []Target {
	return slices.SortedFunc(slices.Values(targets), Target.Compare)
}

// DeliveryRunID derives the id of a webhook's run from the delivery's name and the
// entity that it is about. Two deliveries that share a name but not an entity have
// different runs.
func DeliveryRunID(name string, ref EntityRef) string {
	return RunID(OriginWebhook, name+"\x00"+ref.Key())
}

// OwnRunID derives the id of the run that carries out r if the run that r names
// turns out to be about other entities.
func (r Request) OwnRunID() string {
	key := r.RunID + "\x00" + strconv.FormatInt(r.ProjectID, 10)
	for _, t := range sorted(r.Targets) {
		key += "\x00" + t.String()
	}
	return RunID(r.Origin, key)
}
