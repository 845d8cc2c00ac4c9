package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/index/scorch/mergeplan"
	"github.com/blevesearch/bleve/v2/mapping"
	blevesearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"
	index "github.com/blevesearch/bleve_index_api"

	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/language"
)

// texts is the bleve index: one document for each chunk, without its text.
type texts struct {
	index bleve.Index
	// dir is the index's own; it goes with it.
	dir      string
	analyzer *language.Analyzer
}

const (
	textField = "text"
	// indexDir is the directory of the index within an archive.
	indexDir = "texts"
	// averageWords is how many words BM25 takes a chunk to have on average. make eval: with 1
	// to 100, no set differs by more than noise.
	averageWords = 25
	// maxTerms is how many words of a query count.
	maxTerms = 32
)

// mappingOf describes the bleve index. It stores no text and no positions: hits are read
// again anyway, and that halves the index.
func mappingOf(analyzer *language.Analyzer) mapping.IndexMapping {
	field := bleve.NewTextFieldMapping()
	field.Analyzer = analyzer.Name
	field.Store, field.IncludeTermVectors, field.IncludeInAll, field.DocValues = false, false, false, false
	chunk := bleve.NewDocumentStaticMapping()
	chunk.AddFieldMappingsAt(textField, field)
	m := bleve.NewIndexMapping()
	m.DefaultMapping = chunk
	m.DefaultAnalyzer = analyzer.Name
	m.IndexDynamic, m.StoreDynamic, m.DocValuesDynamic = false, false, false
	m.ScoringModel = index.BM25Scoring
	return m
}

// newTexts creates an empty index in a new directory.
func newTexts(dir string, analyzer *language.Analyzer) (*texts, error) {
	created, err := bleve.New(filepath.Join(dir, indexDir), mappingOf(analyzer))
	if err != nil {
		return nil, fmt.Errorf("create the index: %w", err)
	}
	return &texts{created, dir, analyzer}, nil
}

// openTexts opens the index that was unpacked into the directory. Nobody else has it
// open: a second process would wait for ever, and so would a write to an index that is
// opened read-only. An index that is to be packed has to be durable: what is only in
// memory is not merged.
func openTexts(dir string, analyzer *language.Analyzer, durable bool) (*texts, error) {
	opened, err := bleve.OpenUsing(filepath.Join(dir, indexDir), map[string]any{
		"unsafe_batch": !durable, // a copy is lost with its process, and waits for no disk
		"bolt_timeout": "5s",
	})
	if err != nil {
		return nil, fmt.Errorf("open the index: %w", err)
	}
	return &texts{opened, dir, analyzer}, nil
}

func (t *texts) close() error {
	return errors.Join(t.index.Close(), os.RemoveAll(t.dir))
}

// apply adds and removes chunks. was is what the catalog had of the documents.
func (t *texts) apply(changes []search.Change, was [][]dropped) error {
	batch := t.index.NewBatch()
	for i, change := range changes {
		for _, d := range was[i] {
			for chunk := range d.chunks {
				batch.Delete(d.entity + "/" + d.document + "/" + fmt.Sprint(chunk))
			}
		}
		for _, d := range change.Put {
			for chunk, text := range d.Texts {
				if err := batch.Index(search.ChunkID(change.Ref, d.ID, chunk), map[string]any{textField: text}); err != nil {
					return fmt.Errorf("index a chunk: %w", err)
				}
			}
		}
	}
	if err := t.index.Batch(batch); err != nil {
		return fmt.Errorf("change the index: %w", err)
	}
	return nil
}

// chunkHit is a chunk that bleve found.
type chunkHit struct {
	entity   *entry
	document string
	chunk    int
	score    float64
}

// search returns the best chunks that match any of the terms, of the entities that
// accept lets through, and how many match. Of chunks with the same score, the one with the
// smaller id comes first, so that pages go on where the last one ended, whichever copy of the
// index they come from.
func (t *texts) search(ctx context.Context, c catalog, terms []weighted, depth int, accept func(*entry) bool) (hits []chunkHit, total int, err error) {
	if len(terms) == 0 {
		return nil, 0, nil
	}
	any := make([]query.Query, len(terms))
	for i, term := range terms {
		q := query.NewTermQuery(term.term)
		q.SetField(textField)
		q.SetBoost(term.weight)
		any[i] = q
	}
	var wanted query.Query = query.NewDisjunctionQuery(any)
	if accept != nil {
		wanted = query.NewCustomFilterQueryWithFilter(wanted, func(_ context.Context, d *blevesearch.DocumentMatch) (bool, error) {
			entity, _, _ := strings.Cut(d.ID, "/")
			e := c[entity]
			return e != nil && accept(e), nil
		}, nil, nil)
	}
	request := bleve.NewSearchRequestOptions(wanted, depth, 0, false)
	if request.PreSearchData, err = t.norms(); err != nil {
		return nil, 0, err
	}
	request.SortByCustom(blevesearch.SortOrder{byScore{}, &blevesearch.SortDocID{}})
	result, err := t.index.SearchInContext(ctx, request)
	if err != nil {
		return nil, 0, fmt.Errorf("search the index: %w", err)
	}
	// Without this check, a part that fails looks like one without a match.
	if result.Status != nil && result.Status.Failed > 0 {
		return nil, 0, fmt.Errorf("search the index: %d of %d parts failed", result.Status.Failed, result.Status.Total)
	}
	for _, match := range result.Hits {
		ref, document, chunk, err := search.ParseChunkID(match.ID)
		if err != nil {
			continue // the mark
		}
		if e := c[ref.Key()]; e != nil {
			hits = append(hits, chunkHit{e, document, chunk, float64(float32(match.Score))})
		}
	}
	return hits, int(result.Total), nil
}

// norms is what BM25 compares a chunk's length with. bleve's own average depends on its
// segments, and so on how the index came about: the different terms of each segment are
// added up.
func (t *texts) norms() (map[string]any, error) {
	chunks, err := t.index.DocCount()
	if err != nil {
		return nil, fmt.Errorf("search the index: %w", err)
	}
	return map[string]any{blevesearch.BM25PreSearchDataKey: &blevesearch.BM25Stats{
		DocCount: float64(chunks), FieldCardinality: map[string]int{textField: averageWords * int(chunks)},
	}}, nil
}

// weighted is a term of a query.
type weighted struct {
	term   string
	weight float64
}

// terms returns the different words of a query, at most [maxTerms].
func (t *texts) terms(text string) []weighted {
	var terms []weighted
	seen := map[string]bool{}
	for _, word := range t.analyzer.Words(text) {
		if len(terms) < maxTerms && !seen[word.Term] {
			seen[word.Term] = true
			terms = append(terms, weighted{word.Term, 1})
		}
	}
	return terms
}

// typical returns the words that tell a text from others: those that are frequent in it
// and rare in the index.
func (t *texts) typical(ctx context.Context, text string) (terms []weighted, err error) {
	counts := map[string]int{}
	for _, word := range t.analyzer.Words(text) {
		counts[word.Term]++
	}
	advanced, err := t.index.Advanced()
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	reader, err := advanced.Reader()
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	all, err := reader.DocCount()
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	for term, count := range counts {
		in, err := frequency(ctx, reader, term)
		if err != nil {
			return nil, err
		}
		if in == 0 {
			continue
		}
		rarity := math.Log(1 + float64(all)/float64(in))
		terms = append(terms, weighted{term, math.Log1p(float64(count)) * rarity})
	}
	slices.SortFunc(terms, func(a, b weighted) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.term, b.term))
	})
	return terms[:min(search.LikeTerms, len(terms))], nil
}

// frequency returns how many chunks have the term.
func frequency(ctx context.Context, reader index.IndexReader, term string) (n uint64, err error) {
	found, err := reader.TermFieldReader(ctx, []byte(term), textField, false, false, false)
	if err != nil {
		return 0, fmt.Errorf("read the index: %w", err)
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	return found.Count(), nil
}

// mark is a document of each index that was packed, without text. Each compaction writes it
// anew, because bleve merges no segment with itself.
const mark = "compaction"

// compact rewrites the index as one segment, so that nothing is left in it of what was
// removed.
func (t *texts) compact(ctx context.Context) error {
	if err := t.index.Index(mark, map[string]any{}); err != nil {
		return fmt.Errorf("compact the index: %w", err)
	}
	advanced, err := t.index.Advanced()
	if err != nil {
		return fmt.Errorf("compact the index: %w", err)
	}
	all, ok := advanced.(*scorch.Scorch)
	if !ok {
		return fmt.Errorf("compact the index: it is a %T", advanced)
	}
	options := mergeplan.SingleSegmentMergePlanOptions
	options.SegmentsPerMergeTask = 1 << 20
	options.CalcBudget = func(int64, int64, *mergeplan.MergePlanOptions) int { return 1 }
	if err := all.ForceMerge(ctx, &options); err != nil {
		return fmt.Errorf("compact the index: %w", err)
	}
	return nil
}
