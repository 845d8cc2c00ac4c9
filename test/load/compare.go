package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Comparison describes how the copies differ from GitLab.
type Comparison struct {
	Entities    int `json:"entities"`
	Discussions int `json:"discussions"`
	Events      int `json:"events"`
	Documents   int `json:"documents"`
	Embeddings  int `json:"embeddings"`
	// Differences name the entity and what differs, and contain no text of
	// either.
	Differences []string `json:"differences"`
}

// Compare compares the entities' copies, documents and embeddings with GitLab's
// data. No work may be in progress.
func (t *Target) Compare(ctx context.Context, refs []surgical.EntityRef) (Comparison, error) {
	c := Comparison{Entities: len(refs), Differences: []string{}}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelReads)
	for _, ref := range refs {
		group.Go(func() error {
			one, err := t.compare(ctx, ref)
			if err != nil {
				return fmt.Errorf("compare %s: %w", ref, err)
			}
			mu.Lock()
			defer mu.Unlock()
			c.Discussions += one.Discussions
			c.Events += one.Events
			c.Documents += one.Documents
			c.Embeddings += one.Embeddings
			for _, difference := range one.Differences {
				c.Differences = append(c.Differences, ref.String()+": "+difference)
			}
			return nil
		})
	}
	err := group.Wait()
	slices.Sort(c.Differences)
	return c, err
}

func (t *Target) compare(ctx context.Context, ref surgical.EntityRef) (Comparison, error) {
	var c Comparison
	truth, err := t.gitlab.Truth(ref)
	if err != nil {
		return c, err
	}
	have, err := t.content.ForReaders(nil, surgical.Include).Read(ctx, ref)
	if surgical.CodeOf(err) == surgical.CodeEntityNotFound {
		c.Differences = []string{"there is no copy"}
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.Discussions = len(truth.Discussions)
	for _, differs := range [](func() ([]string, error)){
		func() ([]string, error) { return differingFields(truth.Entity, have.Entity) },
		func() ([]string, error) { return differingRecords("discussion", truth.Discussions, have.Discussions) },
		func() ([]string, error) { return c.events(truth, have) },
		func() ([]string, error) { return t.compareDocuments(ctx, &c, truth, have.Head) },
	} {
		found, err := differs()
		if err != nil {
			return c, err
		}
		c.Differences = append(c.Differences, found...)
	}
	return c, nil
}

func (c *Comparison) events(truth fakegitlab.Truth, have content.Entity) ([]string, error) {
	var all []string
	for _, kind := range []surgical.ChildKind{surgical.KindStateEvent, surgical.KindLabelEvent, surgical.KindMilestoneEvent} {
		c.Events += len(truth.Events[kind])
		differences, err := differingRecords(string(kind), truth.Events[kind], have.Events[kind])
		if err != nil {
			return nil, err
		}
		all = append(all, differences...)
	}
	return all, nil
}

// differingFields names the fields of the entity that differ. Volatile fields
// may be older than the rest, except updated_at.
func differingFields(truth, have json.RawMessage) ([]string, error) {
	var want, got map[string]json.RawMessage
	if err := json.Unmarshal(truth, &want); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(have, &got); err != nil {
		return nil, err
	}
	var differing []string
	names := maps.Clone(want)
	maps.Copy(names, got)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if name != "updated_at" && slices.Contains(content.VolatileFields(), name) {
			continue
		}
		equal, err := sameJSON(want[name], got[name])
		if err != nil {
			return nil, err
		}
		if !equal {
			differing = append(differing, "field "+name+" differs")
		}
	}
	return differing, nil
}

// differingRecords returns the ids of the records that are missing, superfluous
// or different.
func differingRecords(kind string, truth, have []json.RawMessage) ([]string, error) {
	want, err := byID(truth)
	if err != nil {
		return nil, err
	}
	got, err := byID(have)
	if err != nil {
		return nil, err
	}
	var differences []string
	if len(got) != len(have) {
		differences = append(differences, kind+"s appear twice")
	}
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		equal, err := sameJSON(want[id], got[id])
		if err != nil {
			return nil, err
		}
		if !equal {
			differences = append(differences, kind+" "+id+" "+how(want[id] != nil, got[id] != nil))
		}
	}
	return differences, nil
}

func how(wanted, there bool) string {
	switch {
	case !there:
		return "is missing"
	case !wanted:
		return "should not be there"
	default:
		return "differs"
	}
}

func byID(records []json.RawMessage) (map[string]json.RawMessage, error) {
	all := make(map[string]json.RawMessage, len(records))
	for _, raw := range records {
		var record struct {
			ID json.RawMessage `json:"id"`
		}
		if err := json.Unmarshal(raw, &record); err != nil {
			return nil, err
		}
		all[strings.Trim(string(record.ID), `"`)] = raw
	}
	return all, nil
}

// sameJSON compares values, ignoring member order and white space. A missing
// value equals only a missing value.
func sameJSON(a, b json.RawMessage) (bool, error) {
	if (a == nil) != (b == nil) {
		return false, nil
	}
	if bytes.Equal(a, b) {
		return true, nil
	}
	one, err := canonical(a)
	if err != nil {
		return false, err
	}
	other, err := canonical(b)
	return bytes.Equal(one, other), err
}

func canonical(raw json.RawMessage) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}
