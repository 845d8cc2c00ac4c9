package model

import (
	"encoding/json"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// parts is an entity's content in comparable form: canonical JSON by kind and
// id, without the listed volatile fields.
type parts map[string]string

// partsOf returns the parts of a fetched snapshot.
func partsOf(snap surgical.Snapshot) parts {
	all := parts{"entity": canonicalEntity(snap.Entity)}
	for _, child := range snap.Children {
		all.add(string(child.Kind), child.Raw)
	}
	return all
}

// visibleParts returns the parts that a reader sees.
func visibleParts(entity content.Entity) parts {
	all := parts{"entity": canonicalEntity(entity.Entity)}
	for _, discussion := range entity.Discussions {
		all.add(string(surgical.KindDiscussion), discussion)
	}
	for kind, list := range entity.Events {
		for _, event := range list {
			all.add(string(kind), event)
		}
	}
	return all
}

func (p parts) add(kind string, raw json.RawMessage) {
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		panic(err)
	}
	p[fmt.Sprintf("%s#%v", kind, object["id"])] = canonical(object)
}

func canonicalEntity(raw json.RawMessage) string {
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		panic(err)
	}
	for _, field := range content.VolatileFields() {
		delete(object, field)
	}
	return canonical(object)
}

func canonical(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
