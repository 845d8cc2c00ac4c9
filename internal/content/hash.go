package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// VolatileFields are the fields of an entity's JSON that change although nobody
// changed the entity: times that notes update, counters, and derived or
// per-reader states. They are stored, but a difference in these fields only does
// not count as a change, so readers may see older values of them.
func VolatileFields() []string {
	return []string{
		// issues and merge requests
		"updated_at", "user_notes_count", "upvotes", "downvotes", "merge_requests_count",
		"blocking_issues_count", "task_completion_status", "task_status", "has_tasks", "subscribed",
		// merge requests only
		"merge_status", "detailed_merge_status", "has_conflicts", "head_pipeline", "pipeline", "user",
		"diverged_commits_count", "rebase_in_progress", "prepared_at",
		"latest_build_started_at", "latest_build_finished_at", "first_deployed_to_production_at",
	}
}

// hashSize is half of a SHA-256. 128 bits are plenty to tell versions of one
// child apart.
const hashSize = 16

// contentHash hashes a child without its volatile fields. The order of keys and
// the whitespace of its JSON make no difference.
func contentHash(c surgical.Child) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(c.Raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("decode %s: %w", c.Key(), err)
	}
	if object, ok := value.(map[string]any); ok && c.Kind == surgical.KindEntity {
		for _, field := range VolatileFields() {
			delete(object, field)
		}
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", c.Key(), err)
	}
	sum := sha256.Sum256(canonical)
	return sum[:hashSize], nil
}

// withoutDescription splits GitLab's JSON of an entity into the description and
// the rest, so that a new label does not store the text again. A description that
// is not a text stays in the rest.
func withoutDescription(raw json.RawMessage) (rest json.RawMessage, description *string, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, nil, fmt.Errorf("decode entity: %w", err)
	}
	if json.Unmarshal(fields["description"], &description) != nil || description == nil {
		return raw, nil, nil
	}
	delete(fields, "description")
	rest, err = json.Marshal(fields)
	return rest, description, err
}
