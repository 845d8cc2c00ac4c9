package api

import (
	"context"
	"net/url"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
)

const markdownType = "text/markdown"

// readable completes the answer with a readable page of the entity. Comments and events
// are in the order of time together, which takes reading all of them.
func (r *entityReading) readable(ctx context.Context, answer *entityAnswer, documents content.ShownDocuments) error {
	entity, err := r.Content.Read(ctx, r.ref)
	if err != nil {
		return err
	}
	if err := r.current(entity.Head); err != nil {
		return err
	}
	answer.ETag = r.etag(entity.Head, documents)
	return r.write(answer, entity)
}

// write completes the answer with a readable page of the entity, from the place on.
func (r *entityReading) write(answer *entityAnswer, entity content.Entity) error {
	var page strings.Builder
	left := newBudget(r.in.Limit)
	if r.in.Cursor == "" {
		head, err := render.ReadableHead(r.ref, entity.Entity, entity.UpdatedAt, entity.FetchedAt)
		if err != nil {
			return err
		}
		page.WriteString(head)
		left.bytes -= escapedSize([]byte(head))
	}
	if !r.shows(partDiscussions) {
		entity.Discussions = nil
	}
	if !r.shows(partEvents) {
		entity.Events = nil
	}
	thread := render.Thread(entity.Discussions, entity.Events)
	for i := min(r.place.Entries, len(thread)); i < len(thread); i++ {
		text := thread[i].Readable()
		if escapedSize([]byte(text)) > maxPart {
			thread[i].Text = "This comment is too large for any response."
			text = thread[i].Readable()
		}
		if !left.take(escapedSize([]byte(text)), page.Len() == 0) {
			r.place.Entries = i
			return r.continued(answer, page.String())
		}
		page.WriteString(text)
	}
	answer.ContentType, answer.Body = markdownType+"; charset=utf-8", []byte(page.String())
	return nil
}

// continued completes the answer with a page and a link to the next one.
func (r *entityReading) continued(answer *entityAnswer, page string) error {
	cursor, err := encodeCursor(r.place)
	if err != nil {
		return err
	}
	query := url.Values{}
	for name, values := range r.in.query {
		query[name] = values
	}
	query.Set("cursor", cursor)
	answer.Link = "<?" + query.Encode() + `>; rel="next"`
	answer.ContentType, answer.Body = markdownType+"; charset=utf-8", []byte(page)
	return nil
}
