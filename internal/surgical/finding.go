package surgical

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// FindingsOf says in what the children differ that a commit added, changed or removed.
// before and after have GitLab's JSON by [Child.Key]; ignored are the fields of the
// entity that do not count.
func FindingsOf(before, after map[string]json.RawMessage, ignored []string) []Finding {
	d := difference{found: map[Finding]bool{}}
	for key, raw := range after {
		old, had := before[key]
		is, was := decoded(raw), decoded(old)
		kind, _, _ := strings.Cut(key, "#")
		switch {
		case !had && ChildKind(kind) == KindDiscussion:
			d.notes(nil, field(is, "notes"))
		case !had:
			d.labelled = d.labelled || ChildKind(kind) == KindLabelEvent
			d.found[FoundOther] = true
		default:
			if object, ok := is.(map[string]any); ok && ChildKind(kind) == KindEntity {
				for _, name := range ignored {
					delete(object, name)
					delete(asObject(was), name)
				}
			}
			d.values("", was, is)
		}
	}
	for key := range before {
		if _, has := after[key]; has {
			continue
		}
		if strings.HasPrefix(key, string(KindDiscussion)+"#") {
			d.found[FoundDeletedNotes] = true
		} else {
			d.found[FoundOther] = true
		}
	}
	if d.relabelled && !d.labelled { // an event would say who changed the entity's labels
		d.found[FoundLabels] = true
	}
	return slices.Sorted(maps.Keys(d.found))
}

// difference collects findings.
type difference struct {
	found map[Finding]bool
	// relabelled: the entity's labels differ. labelled: there is a new event of one.
	relabelled, labelled bool
}

// values compares the values of a field.
func (d *difference) values(name string, was, is any) {
	if reflect.DeepEqual(was, is) {
		return
	}
	before, wasObject := was.(map[string]any)
	after, isObject := is.(map[string]any)
	oldList, wasList := was.([]any)
	list, isList := is.([]any)
	switch {
	case wasObject && isObject:
		d.objects(name, before, after)
	case name == "notes" && wasList && isList:
		d.notes(oldList, list)
	case name == "labels" && wasList && isList:
		d.relabelled = true
	case wasList && isList && len(oldList) == len(list):
		for i := range list {
			d.values(name, oldList[i], list[i])
		}
	default:
		d.found[FoundOther] = true
	}
}

// objects compares two objects field by field, unless they are the same user, label or
// milestone.
func (d *difference) objects(name string, was, is map[string]any) {
	if id, ok := is["id"].(json.Number); ok && was["id"] == any(id) {
		switch {
		case name == "label":
			d.found[FoundLabels] = true
			return
		case name == "milestone":
			d.found[FoundMilestones] = true
			return
		case is["username"] != nil:
			d.found[FoundUsers] = true
			return
		}
	}
	names := maps.Clone(was)
	maps.Copy(names, is)
	for field := range names {
		d.values(field, was[field], is[field])
	}
}

// notes compares the notes of a discussion by their ids.
func (d *difference) notes(was, is any) {
	before, after := byID(was), byID(is)
	for id, note := range after {
		old, had := before[id]
		switch {
		case had:
			d.values("", old, note)
		case approves(note):
			d.found[FoundApprovals] = true
		default:
			d.found[FoundOther] = true
		}
	}
	for id := range before {
		if _, has := after[id]; !has {
			d.found[FoundDeletedNotes] = true
		}
	}
}

// approves reports whether GitLab wrote the note because somebody approved the merge
// request or withdrew the approval.
func approves(note any) bool {
	body, _ := field(note, "body").(string)
	return field(note, "system") == true &&
		(strings.HasPrefix(body, "approved this merge request") || strings.HasPrefix(body, "unapproved this merge request"))
}

func byID(list any) map[any]any {
	records, _ := list.([]any)
	all := make(map[any]any, len(records))
	for _, r := range records {
		if id, ok := field(r, "id").(json.Number); ok {
			all[id] = r
		}
	}
	return all
}

func asObject(v any) map[string]any {
	object, _ := v.(map[string]any)
	return object
}

func field(v any, name string) any { return asObject(v)[name] }

func decoded(raw json.RawMessage) (value any) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return nil
	}
	return value
}
