package main

import (
	"slices"
)

// bruteForce answers queries by looking at every chunk of the measured index, without
// anything that an index adds: words are numbers, and there are no documents, filters or
// changes. It is what the engine is compared with.
type bruteForce struct {
	// words and vectors are those of all chunks, one after another.
	words   []uint32
	vectors []float32
}

// newBruteForce has the chunks that [everything] has.
func newBruteForce() *bruteForce {
	b := &bruteForce{words: make([]uint32, 0, indexedChunks*chunkWords), vectors: make([]float32, 0, indexedChunks*dimensions)}
	l := newLibrary(1)
	for range indexedChunks {
		b.words, b.vectors = append(b.words, l.words(chunkWords)...), append(b.vectors, l.vector()...)
	}
	return b
}

// search returns the chunks with most of the words, and those with the greatest products
// with the vector: at most depth of each, best first.
func (b *bruteForce) search(words []uint32, vector []float32, depth int) (lexical, near []int) {
	byWords, byVector := best{depth: depth}, best{depth: depth}
	for chunk := range indexedChunks {
		found := 0
		for _, word := range b.words[chunk*chunkWords : (chunk+1)*chunkWords] {
			for _, wanted := range words {
				if word == wanted {
					found++
				}
			}
		}
		if found > 0 {
			byWords.add(chunk, float32(found))
		}
		byVector.add(chunk, product(b.vectors[chunk*dimensions:(chunk+1)*dimensions], vector))
	}
	return byWords.chunks(), byVector.chunks()
}

// product is the sum of the products, added up in four parts that do not wait for each
// other.
func product(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for i := 0; i+3 < len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	return s0 + s1 + s2 + s3
}

// best keeps the chunks with the greatest scores, in order.
type best struct {
	depth  int
	scored []scored
}

type scored struct {
	chunk int
	score float32
}

func (b *best) add(chunk int, score float32) {
	if len(b.scored) == b.depth && score <= b.scored[b.depth-1].score {
		return
	}
	at, _ := slices.BinarySearchFunc(b.scored, score, func(s scored, score float32) int {
		if s.score >= score {
			return -1
		}
		return 1
	})
	b.scored = slices.Insert(b.scored, at, scored{chunk, score})
	b.scored = b.scored[:min(len(b.scored), b.depth)]
}

func (b *best) chunks() []int {
	chunks := make([]int, len(b.scored))
	for i, s := range b.scored {
		chunks[i] = s.chunk
	}
	return chunks
}

// textBytes is the size of all texts.
func (b *bruteForce) textBytes() float64 {
	bytes := 0
	for chunk := range indexedChunks {
		bytes += len(textOf(b.words[chunk*chunkWords : (chunk+1)*chunkWords]))
	}
	return float64(bytes)
}
