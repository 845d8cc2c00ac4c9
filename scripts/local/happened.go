package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// happened returns the payload of an event as if it had just happened to the entity, which
// has the given updated_at. The samples are from May 2026, and an event that is older than
// the stored copy is followed up, because its date proves nothing.
func happened(body []byte, ref surgical.EntityRef, updatedAt time.Time) ([]byte, error) {
	var payload map[string]json.RawMessage
	if err := json.Unmarshal(body, &payload); err != nil {
		return nil, fmt.Errorf("decode the sample: %w", err)
	}
	project := json.RawMessage(strconv.FormatInt(ref.ProjectID, 10))
	values := map[string]map[string]json.RawMessage{
		"project": {"id": project},
		"object_attributes": {
			"project_id": project, "iid": json.RawMessage(strconv.FormatInt(ref.IID, 10)),
			"updated_at": json.RawMessage(updatedAt.UTC().Format(`"2006-01-02 15:04:05 UTC"`)),
		},
	}
	if string(payload["object_kind"]) == `"note"` { // its object_attributes are the note's
		values["issue"], values["merge_request"] = values["object_attributes"], values["object_attributes"]
		delete(values, "object_attributes")
	}
	for member, changes := range values {
		var object map[string]json.RawMessage
		if json.Unmarshal(payload[member], &object) != nil {
			continue // a note has an issue or a merge request
		}
		for name, value := range changes {
			if object[name] != nil {
				object[name] = value
			}
		}
		raw, err := json.Marshal(object)
		if err != nil {
			return nil, err
		}
		payload[member] = raw
	}
	return json.Marshal(payload)
}
