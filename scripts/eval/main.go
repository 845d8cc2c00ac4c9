// Command eval measures the quality of search with the local embedding model and
// prints nDCG@10, recall@10 and MRR of BM25, of vectors, and of both fused. It ends
// with exit code 1 if a set lost more than noise against test/eval/baseline.txt. With
// -speed, it measures the model instead.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/test/corpus"
	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/eval"
)

type options struct {
	corpus, queries string
	update, speed   bool
}

func main() {
	var o options
	flag.StringVar(&o.corpus, "corpus", "", "a corpus as a `file`, see test/corpus/README.md; the default is that of the project")
	flag.StringVar(&o.queries, "queries", "", "a `file` with queries for the corpus, see test/eval/queries.go")
	flag.BoolVar(&o.update, "update", false, "write the results to "+eval.BaselineFile)
	flag.BoolVar(&o.speed, "speed", false, "measure how long the model takes for the documents of the corpus instead")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "eval:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) error {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	entities, queries, err := input(o)
	if err != nil {
		return err
	}
	if o.speed {
		return speed(ctx, out, filepath.Join(root, devstack.ModelDir), entities)
	}
	embedder, err := embedding.OpenMiniLM(filepath.Join(root, devstack.ModelDir))
	if err != nil {
		return err
	}
	vectors, err := eval.NewVectors(embedder, filepath.Join(root, devstack.LocalDir, "eval"))
	if err != nil {
		return err
	}
	results, err := eval.Measure(ctx, entities, queries, vectors)
	if err = errors.Join(err, vectors.Keep()); err != nil {
		return err
	}
	similar, err := eval.MeasureSimilar(ctx, entities, vectors)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d entities, %d queries, %s\n\n", len(entities), len(queries), embedder.Model())
	eval.Print(out, results)
	similar.Print(out)
	if o.corpus != "" {
		return nil
	}
	err = against(out, filepath.Join(root, eval.BaselineFile), results, o.update)
	if similar.Outdated() {
		err = errors.Join(err, fmt.Errorf("%.2f is a better threshold for similar issues than vectorspace.Resembling, %.2f", eval.Threshold(similar.Pairs), similar.Threshold))
	}
	return err
}

// input reads the corpus and the queries. Another corpus has only those that are
// taken from it, and those of a file.
func input(o options) ([]corpus.Entity, []eval.Query, error) {
	if o.corpus == "" {
		entities, err := corpus.Harbor()
		if err != nil {
			return nil, nil, err
		}
		queries, err := eval.Queries()
		return entities, append(queries, eval.Derived(entities)...), err
	}
	entities, err := read(o.corpus, corpus.Read)
	if err != nil {
		return nil, nil, err
	}
	queries := eval.Derived(entities)
	if o.queries != "" {
		more, err := read(o.queries, eval.ReadQueries)
		if err != nil {
			return nil, nil, err
		}
		queries = append(more, queries...)
	}
	if len(queries) == 0 {
		return nil, nil, fmt.Errorf("%s has no text to look for", o.corpus)
	}
	return entities, queries, nil
}

func read[T any](path string, parse func(io.Reader) (T, error)) (T, error) {
	var none T
	f, err := os.Open(path)
	if err != nil {
		return none, err
	}
	defer f.Close()
	v, err := parse(f)
	if err != nil {
		return none, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// against compares the results with the baseline, or writes it.
func against(out io.Writer, path string, results []eval.Result, update bool) error {
	if update {
		return os.WriteFile(path, eval.Baseline(results), 0o644)
	}
	baseline, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changes, err := eval.Compare(baseline, results)
	if err != nil {
		return fmt.Errorf("%s: %w: write it anew with make eval UPDATE=1", path, err)
	}
	lost := 0
	for _, c := range changes {
		if c.Mean == 0 {
			continue
		}
		verdict := ""
		if c.BeyondNoise() {
			lost, verdict = lost+1, ": a loss beyond noise"
		}
		fmt.Fprintf(out, "%s, %s: %+.3f (%+.3f to %+.3f) against the baseline%s\n", c.Set, c.Ranking, c.Mean, c.Low, c.High, verdict)
	}
	if lost > 0 {
		return fmt.Errorf("%d results are worse than %s", lost, eval.BaselineFile)
	}
	fmt.Fprintln(out, "Nothing lost more than noise against the baseline.")
	return nil
}
