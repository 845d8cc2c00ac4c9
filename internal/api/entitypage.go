package api

import (
	"context"
	"encoding/json"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// entityPage fills a page from its place onwards, and advances the place.
type entityPage struct {
	of     *entityReading
	view   EntityView
	budget *budget
	place  entityPlace
	// copied reads what the page shows of the copy; nil if that is only its head.
	copied *content.Page
	// empty is true until the page holds something.
	empty bool
}

// view returns the page; revision is nil if the page has nothing of it but its head.
func (r *entityReading) view(ctx context.Context, head surgical.Head, revision *content.Revision, documents content.ShownDocuments, behind *surgical.Behind) (EntityView, error) {
	p := &entityPage{of: r, view: newEntityView(head), budget: newBudget(r.in.Limit), place: r.place, empty: true}
	p.view.fields = r.fields
	all, err := p.fill(ctx, head, revision, documents, behind)
	if err != nil || all {
		return p.view, err
	}
	p.view.NextCursor, err = encodeCursor(p.place)
	return p.view, err
}

// fill reports whether everything from the place on fits.
func (p *entityPage) fill(ctx context.Context, head surgical.Head, revision *content.Revision, documents content.ShownDocuments, behind *surgical.Behind) (all bool, err error) {
	// Documents come last: a page that begins with one has nothing of the lists before.
	lists := p.of.kinds()
	if p.place.Document != "" {
		lists = nil
	}
	if revision != nil && (len(lists) > 0 || p.of.shows("entity")) {
		if p.copied, err = revision.Page(ctx, lists, p.place.Child, p.budget.left); err != nil {
			return false, err
		}
	}
	if p.of.in.Cursor == "" {
		if err := p.begin(ctx, behind); err != nil {
			return false, err
		}
	}
	if len(lists) > 0 {
		if all, err = p.addChildren(ctx); err != nil || !all {
			return false, err
		}
	}
	return p.addDocuments(documents, head), nil
}

// begin puts what only the first page has.
func (p *entityPage) begin(ctx context.Context, behind *surgical.Behind) (err error) {
	if p.of.shows("entity") {
		if p.view.Entity, err = p.copied.Entity(ctx); err != nil {
			return err
		}
	}
	p.view.DocumentsBehind = newBehindView(behind)
	p.budget.bytes -= sizeOf(p.view)
	p.empty = false
	return nil
}

// addChildren adds discussions and events. It reports whether all fit.
func (p *entityPage) addChildren(ctx context.Context) (bool, error) {
	for child, err := range p.copied.Children(ctx) {
		if err != nil {
			return false, err
		}
		size := escapedSize(child.Raw)
		if size > maxPart {
			p.view.Omitted = append(p.view.Omitted, OmittedPart{child.Kind, idOf(child.Raw), len(child.Raw)})
			p.place.Child = child.Key()
			continue
		}
		if !p.budget.take(size, p.empty) {
			return false, nil
		}
		list := p.listOf(child.Kind)
		*list = append(*list, child.Raw)
		p.place.Child, p.empty = child.Key(), false
	}
	return true, nil
}

// listOf returns the list that shows the children of one kind.
func (p *entityPage) listOf(kind surgical.ChildKind) *[]json.RawMessage {
	switch kind {
	case surgical.KindStateEvent:
		return &p.view.Events.State
	case surgical.KindLabelEvent:
		return &p.view.Events.Label
	case surgical.KindMilestoneEvent:
		return &p.view.Events.Milestone
	}
	return &p.view.Discussions
}

// idOf is GitLab's id of a discussion or event.
func idOf(raw json.RawMessage) string {
	var record struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(raw, &record) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(record.ID, &text) == nil {
		return text
	}
	return string(record.ID)
}

// addDocuments reports whether all fit.
func (p *entityPage) addDocuments(shown content.ShownDocuments, head surgical.Head) bool {
	for _, d := range shown.Documents {
		if d.ID <= p.place.Document || d.Revision < head.DocumentsVisibleFrom {
			continue
		}
		info := documentInfo(d, shown.Embeddings[d.ID], head)
		if !p.budget.take(sizeOf(info), p.empty) {
			return false
		}
		p.view.Documents = append(p.view.Documents, info)
		p.place.Document, p.empty = d.ID, false
	}
	return true
}
