package load

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// expected renders every document of the truth.
func expected(ref surgical.EntityRef, truth fakegitlab.Truth) (map[string]surgical.Document, error) {
	attributes, err := surgical.ParseAttributes(truth.Entity)
	if err != nil {
		return nil, err
	}
	of, err := render.Entity(ref, truth.Entity, attributes.Description)
	if err != nil {
		return nil, err
	}
	documents := map[string]surgical.Document{of.ID: of}
	for _, raw := range truth.Discussions {
		d, err := render.Discussion(ref, render.HeadOf(attributes), raw)
		if err != nil {
			return nil, err
		}
		documents[d.ID] = d
	}
	return documents, nil
}

// compareDocuments compares the stored documents with the rendered truth.
func (t *Target) compareDocuments(ctx context.Context, c *Comparison, truth fakegitlab.Truth, head surgical.Head) ([]string, error) {
	want, err := expected(head.Ref, truth)
	if err != nil {
		return nil, err
	}
	c.Documents = len(want)
	got := map[string]surgical.Document{}
	var differences []string
	for d, err := range t.content.DocumentsAfter(ctx, head.Ref, "") {
		if err != nil {
			return nil, err
		}
		if got[d.ID] = d.Document; d.Revision < head.DocumentsVisibleFrom {
			differences = append(differences, "document "+d.ID+" is hidden")
		}
	}
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		_, wanted := want[id]
		_, there := got[id]
		if !reflect.DeepEqual(want[id], got[id]) {
			differences = append(differences, "document "+id+" "+how(wanted, there))
		}
	}
	embedded, err := t.compareEmbeddings(ctx, c, want, head)
	return append(differences, embedded...), err
}

// compareEmbeddings compares the stored embeddings of the documents with the
// output of the local stack's embedder.
func (t *Target) compareEmbeddings(ctx context.Context, c *Comparison, want map[string]surgical.Document, head surgical.Head) ([]string, error) {
	stored, err := t.content.Embeddings(ctx, head.Ref, slices.Sorted(maps.Keys(want)))
	if err != nil {
		return nil, err
	}
	embedded, err := t.content.Embedded(ctx, head.Ref)
	if err != nil {
		return nil, err
	}
	var differences []string
	for _, id := range slices.Sorted(maps.Keys(embedded)) {
		if _, ok := want[id]; !ok {
			differences = append(differences, "embeddings of "+id+" should not be there")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		vectors, err := t.content.Vectors(ctx, head.Ref, id)
		if err != nil {
			return nil, err
		}
		chunks := render.Chunks(want[id])
		c.Embeddings += len(chunks)
		wrong, err := wrongEmbeddings(ctx, head, want[id], chunks, stored[id], vectors)
		if err != nil {
			return nil, err
		}
		if wrong != "" {
			differences = append(differences, "embeddings of "+id+" "+wrong)
		}
	}
	return differences, nil
}

func wrongEmbeddings(ctx context.Context, head surgical.Head, document surgical.Document, chunks []render.Chunk, stored content.Embeddings, vectors map[string]content.Vector) (string, error) {
	if stored.DocumentID == "" {
		return "are missing", nil
	}
	if !stored.Current(head, document.Hash) {
		return "are of another version", nil
	}
	var embedder fakeembedder.Words
	texts, hashes := make([]string, len(chunks)), make([]string, len(chunks))
	for i, chunk := range chunks {
		texts[i], hashes[i] = chunk.Text, chunk.Hash
	}
	if !slices.Equal(stored.Chunks, hashes) {
		return "name other chunks", nil
	}
	if stored.Model != embedder.Model() {
		return fmt.Sprintf("are of model %q", stored.Model), nil
	}
	for batch := range slices.Chunk(texts, embedder.MaxBatch()) {
		values, err := embedder.Embed(ctx, batch)
		if err != nil {
			return "", err
		}
		for i, chunk := range hashes[:len(batch)] {
			if !slices.Equal(vectors[chunk].Values, values[i]) {
				return "have another vector for chunk " + chunk, nil
			}
		}
		hashes = hashes[len(batch):]
	}
	return "", nil
}
