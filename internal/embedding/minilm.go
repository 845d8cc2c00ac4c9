package embedding

import (
	"context"
	"fmt"
	"runtime"

	"gitlab.com/lorehook/lorehook/internal/embedding/minilm"
	"gitlab.com/lorehook/lorehook/internal/embedding/vectorspace"
	"gitlab.com/lorehook/lorehook/internal/parallel"
)

// minilmBatch is a few seconds of work on one core.
const minilmBatch = 16

// MiniLM embeds texts in this process with the model all-MiniLM-L6-v2. It needs no
// network. A text takes about 1 ms for each of its tokens on one core; as many
// texts as there are cores are embedded at a time.
type MiniLM struct{ model *minilm.Model }

var _ Embedder = MiniLM{}

// OpenMiniLM opens the model in a directory, as [minilm.Open] describes it.
func OpenMiniLM(dir string) (MiniLM, error) {
	model, err := minilm.Open(dir)
	if err != nil {
		return MiniLM{}, fmt.Errorf("open the model: %w", err)
	}
	return MiniLM{model}, nil
}

// Model implements [Embedder].
func (MiniLM) Model() string { return vectorspace.OfMiniLM() }

// Dimensions implements [Embedder].
func (MiniLM) Dimensions() int { return minilm.Dimensions }

// MaxBatch implements [Embedder].
func (MiniLM) MaxBatch() int { return minilmBatch }

// Embed implements [Embedder]. It fails only if ctx is done or there are too many
// texts.
func (m MiniLM) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if err := checkBatch(m, texts); err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(texts))
	group, ctx := parallel.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, text := range texts {
		group.Go(func() (err error) {
			vectors[i], err = m.model.Embed(ctx, text)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return vectors, transient(err, 0, "the local model was cancelled")
	}
	return vectors, nil
}
