package minilm

import (
	"context"
	"fmt"
	"math"

	"github.com/viterin/vek/vek32"
)

// The shape of the model.
const (
	layers       = 6
	heads        = 12
	headSize     = Dimensions / heads
	intermediate = 1536
	// epsilon is added to the variance in a normalization.
	epsilon = 1e-12
)

// encoder is BERT: token, position and type embeddings, then layers of
// self-attention and a feed-forward network, each with a residual connection and
// a normalization. Matrices are in rows; one row is one token.
type encoder struct {
	words, positions matrix
	// kind is the embedding of the first segment; texts have no second one.
	kind   []float32
	norm   normalization
	layers [layers]layer
	gelu   gelu
}

type layer struct {
	query, key, value, attended linear
	attentionNorm               normalization
	inner, outer                linear
	outputNorm                  normalization
}

// matrix has its rows one after the other.
type matrix []float32

func (m matrix) row(i, width int) []float32 { return m[i*width : (i+1)*width] }

// linear is a matrix with one row of weights for each output, and a bias for each.
type linear struct {
	weights matrix
	bias    []float32
}

type normalization struct{ scale, shift []float32 }

func newEncoder(t *tensors) (*encoder, error) {
	l := loader{tensors: t}
	e := &encoder{
		words:     l.load("embeddings.word_embeddings.weight", vocabularySize, Dimensions),
		positions: l.load("embeddings.position_embeddings.weight", 512, Dimensions),
		kind:      l.load("embeddings.token_type_embeddings.weight", 2, Dimensions),
		norm:      l.normalization("embeddings.LayerNorm"),
		gelu:      newGELU(),
	}
	for i := range e.layers {
		prefix := fmt.Sprintf("encoder.layer.%d.", i)
		e.layers[i] = layer{
			query:         l.linear(prefix+"attention.self.query", Dimensions, Dimensions),
			key:           l.linear(prefix+"attention.self.key", Dimensions, Dimensions),
			value:         l.linear(prefix+"attention.self.value", Dimensions, Dimensions),
			attended:      l.linear(prefix+"attention.output.dense", Dimensions, Dimensions),
			attentionNorm: l.normalization(prefix + "attention.output.LayerNorm"),
			inner:         l.linear(prefix+"intermediate.dense", intermediate, Dimensions),
			outer:         l.linear(prefix+"output.dense", Dimensions, intermediate),
			outputNorm:    l.normalization(prefix + "output.LayerNorm"),
		}
	}
	if l.err != nil {
		return nil, l.err
	}
	e.kind = e.kind[:Dimensions]
	return e, nil
}

// loader reads tensors until one of them is not as expected.
type loader struct {
	*tensors
	err error
}

func (l *loader) load(name string, shape ...int) []float32 {
	if l.err != nil {
		return nil
	}
	var values []float32
	values, l.err = l.floats(name, shape...)
	return values
}

func (l *loader) linear(name string, outputs, inputs int) linear {
	return linear{weights: l.load(name+".weight", outputs, inputs), bias: l.load(name+".bias", outputs)}
}

func (l *loader) normalization(name string) normalization {
	return normalization{scale: l.load(name+".weight", Dimensions), shift: l.load(name+".bias", Dimensions)}
}

// encode returns a row for each token. It fails only if ctx is done, which it looks
// at before each layer.
func (e *encoder) encode(ctx context.Context, tokens []int) (matrix, error) {
	x := make(matrix, len(tokens)*Dimensions)
	for i, token := range tokens {
		row := x.row(i, Dimensions)
		copy(row, e.words.row(token, Dimensions))
		vek32.Add_Inplace(row, e.positions.row(i, Dimensions))
		vek32.Add_Inplace(row, e.kind)
	}
	e.norm.apply(x)
	for i := range e.layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x = e.layers[i].apply(x, e.gelu)
	}
	return x, nil
}

func (l *layer) apply(x matrix, activation gelu) matrix {
	attended := l.attended.apply(attention(l.query.apply(x), l.key.apply(x), l.value.apply(x)))
	vek32.Add_Inplace(attended, x)
	l.attentionNorm.apply(attended)
	inner := l.inner.apply(attended)
	activation.apply(inner)
	out := l.outer.apply(inner)
	vek32.Add_Inplace(out, attended)
	l.outputNorm.apply(out)
	return out
}

// apply returns x multiplied by the weights, plus the bias. The rows of x are taken
// in blocks that stay in the processor's cache while all weights pass by.
func (l linear) apply(x matrix) matrix {
	const block = 16
	outputs := len(l.bias)
	inputs := len(l.weights) / outputs
	rows := len(x) / inputs
	y := make(matrix, rows*outputs)
	for first := 0; first < rows; first += block {
		last := min(first+block, rows)
		for o := range outputs {
			weights := l.weights.row(o, inputs)
			for r := first; r < last; r++ {
				y[r*outputs+o] = vek32.Dot(x.row(r, inputs), weights) + l.bias[o]
			}
		}
	}
	return y
}

// attention lets each token look at all tokens: in each head, it is the average of
// their values, weighted by how well their keys match its query.
func attention(query, key, value matrix) matrix {
	n := len(query) / Dimensions
	out := make(matrix, len(query))
	weights := make([]float32, n)
	// columns are the head's values, transposed.
	columns := make(matrix, headSize*n)
	for h := range heads {
		from, to := h*headSize, (h+1)*headSize
		for t := range n {
			for d, v := range value.row(t, Dimensions)[from:to] {
				columns[d*n+t] = v
			}
		}
		for t := range n {
			q := query.row(t, Dimensions)[from:to]
			for s := range n {
				weights[s] = vek32.Dot(q, key.row(s, Dimensions)[from:to])
			}
			softmax(weights)
			target := out.row(t, Dimensions)[from:to]
			for d := range target {
				target[d] = vek32.Dot(weights, columns.row(d, n))
			}
		}
	}
	return out
}

// softmax turns scores, divided by the square root of the head's size, into
// weights with the sum 1.
func softmax(scores []float32) {
	scale := 1 / math.Sqrt(headSize)
	most := float64(vek32.Max(scores))
	var sum float64
	for i, s := range scores {
		w := math.Exp((float64(s) - most) * scale)
		scores[i] = float32(w)
		sum += w
	}
	vek32.MulNumber_Inplace(scores, float32(1/sum))
}

// gelu is the Gaussian error linear unit, as a table: its exact form would take a
// fifth of the time. Between two entries it is interpolated, with an error below
// one in a million.
type gelu []float32

const (
	// geluEnd is where the unit equals x above, and 0 below its negative, to the
	// precision of the table.
	geluEnd = 6
	// geluSteps is the number of entries per 1.
	geluSteps = 512
)

func newGELU() gelu {
	table := make(gelu, 2*geluEnd*geluSteps+2)
	for i := range table {
		x := float64(i)/geluSteps - geluEnd
		table[i] = float32(0.5 * x * (1 + math.Erf(x/math.Sqrt2)))
	}
	return table
}

func (g gelu) apply(x []float32) {
	for i, v := range x {
		switch {
		case v >= geluEnd:
		case v <= -geluEnd:
			x[i] = 0
		default:
			at := (v + geluEnd) * geluSteps
			entry := int(at)
			x[i] = g[entry] + (g[entry+1]-g[entry])*(at-float32(entry))
		}
	}
}

// apply normalizes each row to mean 0 and variance 1, then scales and shifts it.
func (n normalization) apply(x matrix) {
	for first := 0; first < len(x); first += Dimensions {
		row := x[first : first+Dimensions]
		var sum, squares float64
		for _, v := range row {
			sum += float64(v)
		}
		mean := sum / Dimensions
		for _, v := range row {
			squares += (float64(v) - mean) * (float64(v) - mean)
		}
		inverse := 1 / math.Sqrt(squares/Dimensions+epsilon)
		for i, v := range row {
			row[i] = float32((float64(v)-mean)*inverse)*n.scale[i] + n.shift[i]
		}
	}
}
