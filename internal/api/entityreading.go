package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// entityAnswer is a response about an entity.
type entityAnswer struct {
	Status      int
	ContentType string `header:"Content-Type" hidden:"true"`
	ETag        string `header:"ETag" hidden:"true"`
	Link        string `header:"Link" hidden:"true"`
	Vary        string `header:"Vary" hidden:"true"`
	// Body is an [EntityView], or Markdown as bytes.
	Body any
}

// The parts of an entity that can be included.
const (
	partDiscussions = "discussions"
	partEvents      = "events"
	partDocuments   = "documents"
)

// entityReading is one reading of an entity.
type entityReading struct {
	*server
	ref      surgical.EntityRef
	in       *EntityInput
	markdown bool
	// fields are selected; nil for all.
	fields []string
	place  entityPlace
}

func (r *entityReading) answer(ctx context.Context) (*entityAnswer, error) {
	if err := r.prepare(); err != nil {
		return nil, err
	}
	var behind *surgical.Behind
	if r.in.Cursor == "" && r.shows("documents_behind") {
		// Before the documents: what is said to be behind may have caught up, never the
		// reverse.
		var err error
		if behind, err = r.Runs.Behind(ctx, r.ref); err != nil {
			return nil, err
		}
	}
	documents, err := r.documents(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.current(documents.Head); err != nil {
		return nil, err
	}
	answer := &entityAnswer{Status: http.StatusOK, ETag: r.etag(documents.Head, documents), Vary: "Accept, Accept-Encoding"}
	if matches(r.in.IfNoneMatch, answer.ETag) {
		answer.Status = http.StatusNotModified
		return answer, nil
	}
	if r.markdown {
		return answer, r.readable(ctx, answer, documents)
	}
	answer.ContentType = "application/json"
	if !r.showsCopy() {
		answer.Body, err = r.view(ctx, documents.Head, nil, documents, behind)
		return answer, err
	}
	err = r.Content.ReadRevision(ctx, r.ref, func(revision *content.Revision) error {
		if err := r.current(revision.Head); err != nil {
			return err
		}
		answer.ETag = r.etag(revision.Head, documents)
		answer.Body, err = r.view(ctx, revision.Head, revision, documents, behind)
		return err
	})
	if errors.Is(err, content.ErrNoSuchChild) {
		err = invalid("query.cursor", r.in.Cursor, noCursor)
	}
	return answer, err
}

// prepare checks the parameters.
func (r *entityReading) prepare() error {
	var err error
	if r.fields, err = selected[EntityView](r.in.FieldsInput); err != nil {
		return err
	}
	if r.fields == nil && r.in.Include != "" {
		r.fields = slices.DeleteFunc(jsonNames(reflect.TypeFor[EntityView]()), func(field string) bool {
			return !r.includes(field) || field == "documents_behind" && !r.includes(partDocuments)
		})
	}
	r.place = entityPlace{Entity: r.ref.Key(), Of: r.selection()}
	if r.in.Cursor != "" {
		r.place, err = decodeCursor(r.in.Cursor, func(p entityPlace) bool {
			return p.Entity == r.place.Entity && p.Of == r.place.Of && p.Entries >= 0 && (r.markdown || p.Entries == 0)
		})
	}
	return err
}

// selection identifies what the pages of the reading have, for cursors; "" is everything
// as JSON.
func (r *entityReading) selection() string {
	if !r.markdown && r.in.Include == "" && r.in.Fields == "" {
		return ""
	}
	return digest(r.markdown, r.in.Include, r.in.Fields)
}

// includes reports whether include names the part. What is not a part is always
// included.
func (r *entityReading) includes(part string) bool {
	switch part {
	case partDiscussions, partEvents, partDocuments:
		return r.in.Include == "" || slices.Contains(strings.Split(r.in.Include, ","), part)
	}
	return true
}

// shows reports whether the response has the field.
func (r *entityReading) shows(field string) bool {
	if r.markdown {
		return field != partDocuments && field != "documents_behind" && r.includes(field)
	}
	return (r.fields == nil || slices.Contains(r.fields, field)) && r.includes(field)
}

// kinds are the kinds of children that the response has, in their order.
func (r *entityReading) kinds() (kinds []surgical.ChildKind) {
	if r.shows(partDiscussions) {
		kinds = append(kinds, surgical.KindDiscussion)
	}
	if r.shows(partEvents) {
		kinds = append(kinds, surgical.KindStateEvent, surgical.KindLabelEvent, surgical.KindMilestoneEvent)
	}
	return kinds
}

// showsCopy reports whether the response has anything of the copy but its head.
func (r *entityReading) showsCopy() bool {
	return r.shows("entity") || len(r.kinds()) > 0
}

// documents reads the documents before the copy, which must not be older than what they
// show. Without documents, it reads only the head.
func (r *entityReading) documents(ctx context.Context) (content.ShownDocuments, error) {
	if r.shows(partDocuments) {
		return r.Content.VisibleDocuments(ctx, r.ref)
	}
	head, err := r.Content.VisibleHead(ctx, r.ref)
	return content.ShownDocuments{Head: head}, err
}

// current refuses a cursor of another revision.
func (r *entityReading) current(head surgical.Head) error {
	if r.in.Cursor != "" && r.place.Revision != head.Revision {
		return surgical.NewError(surgical.CodeConflict,
			fmt.Sprintf("the cursor is for revision %d, but the copy is now at %d: start again without a cursor", r.place.Revision, head.Revision))
	}
	r.place.Revision = head.Revision
	return nil
}

// etag identifies what the response says, without the times and the run of the fetch: it
// is a weak one.
func (r *entityReading) etag(head surgical.Head, shown content.ShownDocuments) string {
	in := r.in
	said := []any{
		Version, r.Content.Confidential(), r.ref.Key(), head.ChangedRevision, head.UpdatedAt.UnixMicro(),
		r.markdown, in.Include, in.Fields, in.Limit, in.Cursor,
	}
	for _, d := range shown.Documents {
		if d.Revision >= head.DocumentsVisibleFrom {
			info := documentInfo(d, shown.Embeddings[d.ID], head)
			said = append(said, info.ID, info.Hash, info.Chunks)
		}
	}
	return `W/"` + digest(said...) + `"`
}

// digest returns a short text for the values, which differs if any of them does.
func digest(values ...any) string {
	var text strings.Builder
	for _, value := range values {
		fmt.Fprintf(&text, "%q,", fmt.Sprint(value))
	}
	sum := sha256.Sum256([]byte(text.String()))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// matches reports whether an If-None-Match header names the ETag. Its comparison is weak.
func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// prefersMarkdown reports whether an Accept header prefers Markdown to JSON.
func prefersMarkdown(accept string) bool {
	markdown, json := 0.0, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		quality, err := strconv.ParseFloat(cmp.Or(parameters["q"], "1"), 64)
		if err != nil {
			continue
		}
		switch media {
		case markdownType:
			markdown = quality
		case "application/json", "application/*", "*/*":
			json = max(json, quality)
		}
	}
	return markdown > 0 && markdown >= json
}
