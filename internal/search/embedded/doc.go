// Package embedded is a search engine without a server: one bleve index with BM25 and
// an exact scan over vectors, in the process that searches.
//
// What lies in the bucket never changes: a base (catalog, packed bleve index, vectors)
// and the batches behind it. The manifest names the base, and says which batches count.
// Each process has a copy, to which it adds the batches that it lacks.
package embedded
