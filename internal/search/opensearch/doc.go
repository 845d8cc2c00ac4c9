// Package opensearch is the search engine that keeps its index in an OpenSearch cluster,
// such as a domain of Amazon OpenSearch Service.
//
// Each index is named by the manifest, which also has its position. A chunk is one
// document, with its text, its vector and what filters match; and each entity has one
// more, its catalog, which says what is indexed of it.
//
// OpenSearch has no transactions, so a write takes these steps, and a crash behind any of
// them leaves less in the catalog than there is in the index: it is written again.
//
//  1. The manifest names the entities that are about to be written. From then on, no other
//     indexer's write is accepted that was read before this one.
//  2. The catalogs are claimed: what is about to change is marked as unsettled, with the
//     next version of the catalog. OpenSearch refuses the claim of anybody who read an
//     earlier version.
//  3. The chunks are written under the version of the claim, so that OpenSearch itself
//     refuses what an older writer sends late.
//  4. The catalogs are settled, with the version after the claim's.
//  5. The manifest moves its position, and names no entity any more.
//
// An indexer that finds entities named by another one takes over: it gives their catalogs
// new versions, so that whatever the other one still sends is refused, and only then reads
// what there is.
package opensearch
