package eval

import (
	"context"
	"encoding/gob"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"gitlab.com/lorehook/lorehook/internal/embedding"
)

// Vectors embeds texts, each of them once.
type Vectors struct {
	embedder embedding.Embedder
	path     string
	mu       sync.Mutex
	byText   map[string][]float32
	fresh    bool
}

// NewVectors returns vectors of the embedder. They are kept in a file of the
// directory from one evaluation to the next.
func NewVectors(embedder embedding.Embedder, dir string) (*Vectors, error) {
	v := &Vectors{embedder: embedder, byText: map[string][]float32{}}
	v.path = filepath.Join(dir, filepath.Base(filepath.Dir(embedder.Model()))+"-"+filepath.Base(embedder.Model())+".gob")
	f, err := os.Open(v.path)
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return v, gob.NewDecoder(f).Decode(&v.byText)
}

// Of returns a vector for each text.
func (v *Vectors) Of(ctx context.Context, texts []string) ([][]float32, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var missing []string
	for _, text := range texts {
		if v.byText[text] == nil {
			missing = append(missing, text)
		}
	}
	for batch := range slices.Chunk(missing, v.embedder.MaxBatch()) {
		vectors, err := v.embedder.Embed(ctx, batch)
		if err != nil {
			return nil, err
		}
		for i, text := range batch {
			v.byText[text], v.fresh = vectors[i], true
		}
	}
	all := make([][]float32, len(texts))
	for i, text := range texts {
		all[i] = v.byText[text]
	}
	return all, nil
}

// Model is the model of the vectors.
func (v *Vectors) Model() string { return v.embedder.Model() }

// one returns the vector of a text.
func (v *Vectors) one(ctx context.Context, text string) ([]float32, error) {
	of, err := v.Of(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	return of[0], nil
}

// Keep writes the vectors to their file.
func (v *Vectors) Keep() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.fresh {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(v.path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(v.path), "vectors-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(gob.NewEncoder(f).Encode(v.byText), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), v.path)
}
