package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"gitlab.com/lorehook/lorehook/internal/embedding/minilm"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/test/corpus"
	"gitlab.com/lorehook/lorehook/test/eval"
)

// every is one of how many documents is measured.
const every = 4

// speed measures the model with documents of the corpus, one at a time on one core, and
// with a text that is too long. Times are of the processor, so that other processes
// hardly count.
func speed(ctx context.Context, out io.Writer, dir string, entities []corpus.Entity) error {
	runtime.GOMAXPROCS(1)
	model, err := minilm.Open(dir)
	if err != nil {
		return err
	}
	documents, err := eval.Documents(entities)
	if err != nil {
		return err
	}
	var tokens, chunks []int
	var took []time.Duration
	for n, d := range documents {
		if n%every > 0 {
			continue
		}
		began, count := processor(), 0
		parts := render.Chunks(d)
		for _, chunk := range parts {
			count += model.Tokens(chunk.Text)
			if _, err := model.Embed(ctx, chunk.Text); err != nil {
				return err
			}
		}
		took, tokens, chunks = append(took, processor()-began), append(tokens, count), append(chunks, len(parts))
	}
	fmt.Fprintf(out, "%d of %d documents        median     p95     max\n", len(took), len(documents))
	fmt.Fprintf(out, "chunks                   %7d %7d %7d\n", at(chunks, 0.5), at(chunks, 0.95), at(chunks, 1))
	fmt.Fprintf(out, "tokens                   %7d %7d %7d\n", at(tokens, 0.5), at(tokens, 0.95), at(tokens, 1))
	fmt.Fprintf(out, "ms of one core           %7d %7d %7d\n", at(took, 0.5).Milliseconds(), at(took, 0.95).Milliseconds(), at(took, 1).Milliseconds())
	for _, text := range []string{"where are invoices numbered", strings.Repeat("word ", minilm.MaxTokens)} {
		began := processor()
		const times = 10
		for range times {
			if _, err := model.Embed(ctx, text); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "a text of %3d tokens      %6d ms of one core\n", model.Tokens(text), ((processor() - began) / times).Milliseconds())
	}
	return nil
}

// at returns the value below which a part of the others lie.
func at[T int | time.Duration](values []T, part float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(part*float64(len(sorted)-1))]
}

// processor returns how long this process has computed.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0 // it does not fail for the process itself
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
