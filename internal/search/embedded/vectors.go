package embedded

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/search"
)

// vectors holds the vectors of all chunks of one model, for an exact scan. They have
// length 1, so that their products are cosines; that of a chunk without one is zero.
type vectors struct {
	model string
	// dims is the length of the vectors; 0 while there are none.
	dims int
	// blocks have the vectors one after another, [blockRows] in each, so that adding one
	// never copies them all. rows says whose they are; a row without an entity is dead.
	blocks [][]float32
	rows   []row
	dead   int
	// at is the first row of each document.
	at map[documentKey]int
}

const blockRows = 4096

// value returns the vector of a row.
func (v *vectors) value(i int) []float32 {
	first := i % blockRows * v.dims
	return v.blocks[i/blockRows][first : first+v.dims : first+v.dims]
}

// push appends a row, and returns where its vector has to be written.
func (v *vectors) push(r row) []float32 {
	i := len(v.rows)
	if i/blockRows == len(v.blocks) {
		v.blocks = append(v.blocks, make([]float32, blockRows*v.dims))
	}
	v.rows = append(v.rows, r)
	return v.value(i)
}

type documentKey struct{ entity, document string }

type row struct {
	entity   *entry
	document string
	chunk    int32
	// blank reports that the chunk has no vector.
	blank bool
}

func newVectors(model string) *vectors {
	return &vectors{model: model, at: map[documentKey]int{}}
}

// apply adds and removes vectors as the change says; c is the catalog with the change,
// and was what it had of its documents before.
func (v *vectors) apply(c catalog, change search.Change, was []dropped) {
	for _, d := range was {
		key := documentKey{d.entity, d.document}
		if first, ok := v.at[key]; ok {
			for i := first; i < first+d.chunks; i++ {
				v.rows[i] = row{}
			}
			v.dead += d.chunks
			delete(v.at, key)
		}
	}
	for _, d := range change.Put {
		if d.Model == v.model && v.model != "" {
			v.add(c[change.Ref.Key()], d)
		}
	}
	if v.dead > len(v.rows)/2 && v.dead > 1000 {
		v.compact()
	}
}

// add appends the vectors of a document. If one has another length than the others', it
// cannot be compared: the catalog then says that the document has none.
func (v *vectors) add(e *entry, d search.Document) {
	for _, values := range d.Vectors {
		if !search.HasDirection(values) {
			continue
		}
		if v.dims == 0 {
			v.dims = len(values)
		}
		if len(values) != v.dims {
			e.without(d)
			return
		}
	}
	if v.dims == 0 {
		e.without(d)
		return
	}
	if len(d.Vectors) > 0 {
		v.at[documentKey{e.Key, d.ID}] = len(v.rows)
	}
	for i, values := range d.Vectors {
		blank := !search.HasDirection(values)
		at := v.push(row{e, d.ID, int32(i), blank})
		clear(at) // a row that was dropped may have been there
		if !blank {
			copy(at, unit(values))
		}
	}
}

// without records that the document has no vectors.
func (e *entry) without(d search.Document) {
	indexed := d.Indexed
	indexed.Model = ""
	e.Documents[d.ID] = indexed
}

// compact drops the dead rows.
func (v *vectors) compact() {
	kept := 0
	for i, r := range v.rows {
		if r.entity == nil {
			continue
		}
		copy(v.value(kept), v.value(i))
		v.rows[kept] = r
		if r.chunk == 0 {
			v.at[documentKey{r.entity.Key, r.document}] = kept
		}
		kept++
	}
	v.rows, v.dead = v.rows[:kept], 0
	v.blocks = v.blocks[:(kept+blockRows-1)/blockRows]
}

// of returns the vectors of a document; nil if it has none.
func (v *vectors) of(entity, document string, chunks int) [][]float32 {
	first, ok := v.at[documentKey{entity, document}]
	if !ok {
		return nil
	}
	all := make([][]float32, chunks)
	for i := range all {
		all[i] = v.value(first + i)
	}
	return all
}

// unit returns the vector with length 1; a zero vector stays what it is.
func unit(values []float32) []float32 {
	var sum float64
	for _, x := range values {
		sum += float64(x) * float64(x)
	}
	scaled := make([]float32, len(values))
	if sum > 0 {
		scale := 1 / math.Sqrt(sum)
		for i, x := range values {
			scaled[i] = float32(float64(x) * scale)
		}
	}
	return scaled
}

// scored is a chunk with its score.
type scored struct {
	row   row
	score float32
}

// nearest returns the chunks whose vectors are closest to the query's, best first, of
// those that accept lets through.
func (v *vectors) nearest(ctx context.Context, query []float32, limit int, accept func(*entry) bool) ([]scored, error) {
	if v.dims == 0 || len(query) != v.dims {
		return nil, nil
	}
	query = unit(query)
	parts := runtime.GOMAXPROCS(0)
	found := make([][]scored, parts)
	group, _ := parallel.WithContext(ctx)
	for p := range parts {
		group.Go(func() error {
			found[p] = v.scan(query, len(v.rows)*p/parts, len(v.rows)*(p+1)/parts, limit, accept)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return best(slices.Concat(found...), limit), nil
}

func best(all []scored, limit int) []scored {
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.row.entity.Key, b.row.entity.Key),
			cmp.Compare(a.row.document, b.row.document), cmp.Compare(a.row.chunk, b.row.chunk))
	})
	return all[:min(limit, len(all))]
}

// scan returns the best rows from first to last.
func (v *vectors) scan(query []float32, first, last, limit int, accept func(*entry) bool) []scored {
	var kept []scored
	least := float32(-2)
	for i := first; i < last; i++ {
		r := v.rows[i]
		if r.entity == nil || r.blank {
			continue
		}
		score := product(query, v.value(i))
		if score < least || !accept(r.entity) {
			continue
		}
		if kept = append(kept, scored{r, score}); len(kept) >= 2*limit {
			kept = best(kept, limit)
			least = kept[len(kept)-1].score
		}
	}
	return best(kept, limit)
}

// product returns the dot product. Four sums keep the additions independent of each
// other.
func product(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}

// write writes the vectors in the order of the catalog's documents, after a line with
// their length.
func (v *vectors) write(w io.Writer, c catalog) error {
	out := bufio.NewWriterSize(w, 1<<20)
	if err := binary.Write(out, binary.LittleEndian, uint32(v.dims)); err != nil {
		return fmt.Errorf("write vectors: %w", err)
	}
	buffer := make([]byte, 4*v.dims)
	for e, id := range c.documents() {
		for _, values := range v.of(e.Key, id, e.Documents[id].Chunks) {
			for i, x := range values {
				binary.LittleEndian.PutUint32(buffer[4*i:], math.Float32bits(x))
			}
			if _, err := out.Write(buffer); err != nil {
				return fmt.Errorf("write vectors: %w", err)
			}
		}
	}
	return out.Flush()
}

// read reads what write wrote for the same catalog, which has so many bytes.
func (v *vectors) read(r io.Reader, size int64, c catalog) error {
	in := bufio.NewReaderSize(r, 1<<20)
	var dims uint32
	if err := binary.Read(in, binary.LittleEndian, &dims); err != nil {
		return fmt.Errorf("read vectors: %w", err)
	}
	// A damaged length may ask for more memory than there is.
	if want := 4 + 4*int64(dims)*v.chunksIn(c); size != want {
		return fmt.Errorf("read vectors: %d bytes, want %d with vectors of %d numbers", size, want, dims)
	}
	v.dims = int(dims)
	buffer := make([]byte, 4*v.dims)
	for e, id := range c.documents() {
		d := e.Documents[id]
		if !v.has(d) {
			continue
		}
		v.at[documentKey{e.Key, id}] = len(v.rows)
		for chunk := range d.Chunks {
			if _, err := io.ReadFull(in, buffer); err != nil {
				return fmt.Errorf("read vectors: %w", err)
			}
			values := v.push(row{e, id, int32(chunk), false})
			for i := range values {
				values[i] = math.Float32frombits(binary.LittleEndian.Uint32(buffer[4*i:]))
			}
			v.rows[len(v.rows)-1].blank = !slices.ContainsFunc(values, func(x float32) bool { return x != 0 })
		}
	}
	return nil
}

// has reports whether a document of the catalog has vectors.
func (v *vectors) has(d search.Indexed) bool { return d.Model == v.model && d.Chunks > 0 }

// chunksIn returns how many chunks of the catalog have a vector.
func (v *vectors) chunksIn(c catalog) (n int64) {
	for _, e := range c {
		for _, d := range e.Documents {
			if v.has(d) {
				n += int64(d.Chunks)
			}
		}
	}
	return n
}
