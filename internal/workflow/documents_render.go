package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// renderBatch renders the documents whose child exists, one by one until their texts
// have [docsBatchBytes], and warns of what they do not show. A record that cannot be
// rendered at all has no document. done is how many of the ids were considered.
func renderBatch(ctx context.Context, head surgical.Head, children content.Children, ids []string) (rendered map[string]surgical.Document, done int, warnings []string, err error) {
	rendered = make(map[string]surgical.Document, len(ids))
	for bytes := 0; done < len(ids) && bytes < docsBatchBytes; done++ {
		id := ids[done]
		document, exists, err := renderOne(ctx, head, children, id)
		var unreadable *surgical.Error
		switch {
		case errors.As(err, &unreadable) && !unreadable.Retryable:
			warnings = append(warnings, id+" has no document: "+unreadable.Message)
		case err != nil:
			return nil, 0, nil, err
		case exists:
			rendered[id] = document
			bytes += len(document.Text)
			for _, what := range document.LeftOut {
				warnings = append(warnings, id+" is incomplete: "+what)
			}
		}
	}
	return rendered, done, warnings, nil
}

func renderOne(ctx context.Context, head surgical.Head, children content.Children, id string) (document surgical.Document, exists bool, err error) {
	child := id
	if id == render.EntityID {
		child = entityChild
	}
	raw, exists, err := children.Child(ctx, child)
	if err != nil || !exists {
		return document, false, err
	}
	if id != render.EntityID {
		document, err = render.Discussion(head.Ref, render.HeadOf(head.Attributes), raw)
		return document, true, err
	}
	text, described, err := children.Child(ctx, descriptionChild)
	if err != nil {
		return document, false, err
	}
	var description string
	if described {
		if err := json.Unmarshal(text, &description); err != nil {
			return document, false, fmt.Errorf("decode description of %s: %w", head.Ref, err)
		}
	}
	document, err = render.Entity(head.Ref, raw, description)
	return document, true, err
}

// documentOf names the document that shows a child; events have none.
func documentOf(child string) (string, bool) {
	kind, _, _ := strings.Cut(child, "#")
	switch surgical.ChildKind(kind) {
	case surgical.KindEntity, surgical.KindDescription:
		return render.EntityID, true
	case surgical.KindDiscussion:
		return child, true
	default:
		return "", false
	}
}

// childrenOf is the inverse of documentOf.
func childrenOf(documents []string) []string {
	var children []string
	for _, id := range documents {
		if id == render.EntityID {
			children = append(children, entityChild, descriptionChild)
		} else {
			children = append(children, id)
		}
	}
	return children
}

const (
	entityChild      = string(surgical.KindEntity) + "#0"
	descriptionChild = string(surgical.KindDescription) + "#0"
)
