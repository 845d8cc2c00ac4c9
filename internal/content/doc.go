// Package content is the content plane on DynamoDB: the copies of issues and
// merge requests with their discussions, events, documents and embeddings.
//
// One entity is one item collection. Its head carries the manifest: for every
// child its content hash and the place of the item that holds it. A child is
// immutable, and no two attempts share a key, so whatever is written beside
// the head stays invisible until one conditional write of the head names it.
// docs/data-model.md shows every item.
package content
