package eval

import (
	"encoding/json"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/corpus"
)

// A part is what an index has of the entities.
type part int

const (
	everything part = iota
	// withoutTitles and withoutComments leave out what the queries were taken from.
	withoutTitles
	withoutComments
)

// partOf returns what the index of a set has.
func partOf(set string) part {
	switch set {
	case SetTitle:
		return withoutTitles
	case SetComment:
		return withoutComments
	default:
		return everything
	}
}

// Documents renders the entities as the product does.
func Documents(entities []corpus.Entity) ([]surgical.Document, error) {
	var all []surgical.Document
	for _, e := range entities {
		documents, err := documentsOf(e, everything)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Key(), err)
		}
		all = append(all, documents...)
	}
	return all, nil
}

// documentsOf renders an entity as the product does.
func documentsOf(e corpus.Entity, p part) ([]surgical.Document, error) {
	if p == withoutTitles {
		e.Title = ""
	}
	if p == withoutComments {
		e.Discussions = nil
	}
	document, err := render.Entity(e.Ref(), entityJSON(e), e.Description)
	if err != nil {
		return nil, err
	}
	documents := []surgical.Document{document}
	for i := range e.Discussions {
		document, err := render.Discussion(e.Ref(), render.Head{Title: e.Title}, discussionJSON(e, i))
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	return documents, nil
}

type object map[string]any

func entityJSON(e corpus.Entity) json.RawMessage {
	return encode(object{
		"iid": e.IID, "project_id": e.Project, "title": e.Title, "state": e.State, "labels": e.Labels,
		"author": object{"username": e.Author}, "confidential": false, "created_at": e.CreatedAt, "updated_at": e.CreatedAt,
	})
}

func discussionJSON(e corpus.Entity, i int) json.RawMessage {
	var notes []object
	for j, n := range e.Discussions[i] {
		notes = append(notes, object{
			"id": 100*i + j + 1, "body": n.Body, "author": object{"username": n.Author}, "created_at": n.CreatedAt,
			"system": false, "internal": false,
		})
	}
	return encode(object{"id": fmt.Sprintf("%040x", i+1), "notes": notes})
}

func encode(v object) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it has only strings, numbers and times
	}
	return b
}
