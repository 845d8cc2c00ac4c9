package model

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
)

// rendered holds the expected documents and embeddings of the content, by key,
// independently of how the stages produce them.
func rendered(entity content.Entity) (map[string]string, error) {
	attributes, err := surgical.ParseAttributes(entity.Entity)
	if err != nil {
		return nil, err
	}
	document, err := render.Entity(entity.Ref, entity.Entity, attributes.Description)
	if err != nil {
		return nil, err
	}
	all := []surgical.Document{document}
	for _, raw := range entity.Discussions {
		if document, err = render.Discussion(entity.Ref, render.HeadOf(attributes), raw); err != nil {
			return nil, err
		}
		all = append(all, document)
	}
	want := map[string]string{}
	for _, d := range all {
		want["doc#"+d.ID] = d.Hash + "\n" + d.Text
		var names []string
		for _, chunk := range render.Chunks(d) {
			vectors, err := fakeembedder.Words{}.Embed(context.Background(), []string{chunk.Text})
			if err != nil {
				return nil, err
			}
			names = append(names, chunk.Hash)
			want["vec#"+d.ID+"#"+chunk.Hash] = fmt.Sprint(vectors[0])
		}
		want["emb#"+d.ID] = d.Hash + " " + strings.Join(names, " ")
	}
	return want, nil
}

// embeddings returns the stored embeddings and vectors, except hidden ones.
func (o *oracle) embeddings(head surgical.Head) (map[string]string, error) {
	embedded, err := o.content.Embedded(background(), head.Ref)
	if err != nil {
		return nil, err
	}
	ids := slices.Sorted(maps.Keys(embedded))
	embeddings, err := o.content.Embeddings(background(), head.Ref, ids)
	if err != nil {
		return nil, err
	}
	got := map[string]string{}
	for _, id := range ids {
		if e, ok := embeddings[id]; ok && e.Revision >= head.DocumentsVisibleFrom {
			got["emb#"+id] = e.DocumentHash + " " + strings.Join(e.Chunks, " ")
		}
		vectors, err := o.content.Vectors(background(), head.Ref, id)
		if err != nil {
			return nil, err
		}
		for chunk, vector := range vectors {
			if vector.Revision >= head.DocumentsVisibleFrom {
				got["vec#"+id+"#"+chunk] = fmt.Sprint(vector.Values)
			}
		}
	}
	return got, nil
}
