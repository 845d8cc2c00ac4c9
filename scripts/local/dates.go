package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// dated returns the payload of an event as if it had just happened: its entity has
// the given updated_at. The samples are from May 2026, and an event that is older than
// the stored copy is followed up, because its date proves nothing.
func dated(body []byte, updatedAt time.Time) ([]byte, error) {
	var payload map[string]json.RawMessage
	if err := json.Unmarshal(body, &payload); err != nil {
		return nil, fmt.Errorf("decode the sample: %w", err)
	}
	members := []string{"object_attributes"}
	if string(payload["object_kind"]) == `"note"` { // its object_attributes are the note's
		members = []string{"issue", "merge_request"}
	}
	for _, member := range members {
		var entity map[string]json.RawMessage
		if json.Unmarshal(payload[member], &entity) != nil || entity["updated_at"] == nil {
			continue // a note has one of the two
		}
		entity["updated_at"] = json.RawMessage(updatedAt.UTC().Format(`"2006-01-02 15:04:05 UTC"`))
		raw, err := json.Marshal(entity)
		if err != nil {
			return nil, err
		}
		payload[member] = raw
	}
	return json.Marshal(payload)
}
