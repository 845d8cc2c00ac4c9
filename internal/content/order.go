package content

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// outline says where in the order of an entity a child is, and how long it is, so that a
// page is read without the children before and after it.
type outline struct {
	// Created is when the event, or the discussion's first note, was created, in Unix
	// microseconds, whether readers see that note or not. Of other children it is 0.
	Created int64
	// Bytes is the length of the child's text when the entry was written, which tells how
	// much to read at a time. It is 0 if the outline is not known.
	Bytes int
}

// known reports whether the entry is not from an earlier version.
func (o outline) known() bool { return o.Bytes > 0 }

func outlineOf(c surgical.Child) outline {
	o := outline{Bytes: len(c.Raw)}
	if c.Kind != surgical.KindEntity && c.Kind != surgical.KindDescription {
		o.Created = created(c.Raw)
	}
	return o
}

// outlined reports whether the outlines of all entries are known.
func (e entries) outlined() bool {
	for _, one := range e {
		if !one.Outline.known() {
			return false
		}
	}
	return true
}

// inOrder returns the children of one kind by creation, then by id; numeric ids sort as
// numbers. texts must have those children that have no outline.
func (e entries) inOrder(kind surgical.ChildKind, texts map[string]json.RawMessage) []string {
	type dated struct {
		created, number int64
		id, child       string
	}
	var all []dated
	for child, entry := range e {
		of, id, _ := strings.Cut(child, "#")
		if of != string(kind) {
			continue
		}
		one := dated{created: entry.Outline.Created, id: id, child: child}
		one.number, _ = strconv.ParseInt(id, 10, 64) // 0 for discussions: their ids are not numbers
		if !entry.Outline.known() {
			one.created = created(texts[child])
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b dated) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.number, b.number), strings.Compare(a.id, b.id))
	})
	children := make([]string, len(all))
	for i, one := range all {
		children[i] = one.child
	}
	return children
}

// created returns the time of the event, or of the discussion's first note, in Unix
// microseconds; that of the zero time if there is none.
func created(raw json.RawMessage) int64 {
	var record struct {
		CreatedAt string `json:"created_at"`
		Notes     []struct {
			CreatedAt string `json:"created_at"`
		} `json:"notes"`
	}
	if err := json.Unmarshal(raw, &record); err != nil {
		return time.Time{}.UnixMicro()
	}
	at := record.CreatedAt
	if len(record.Notes) > 0 {
		at = record.Notes[0].CreatedAt
	}
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return time.Time{}.UnixMicro()
	}
	return t.UnixMicro()
}
