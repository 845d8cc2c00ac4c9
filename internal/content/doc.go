// Package content stores the copies of issues and merge requests in DynamoDB,
// with their discussions, events, documents and embeddings.
//
// One entity is one item collection. Its head holds the manifest: the content
// hash of every child and the key of the item that stores it. Children are
// immutable, and no two attempts share a key, so what an attempt stages stays
// invisible until one conditional write of the head names it.
// docs/data-model.md shows every item.
package content
