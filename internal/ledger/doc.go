// Package ledger is the control plane on DynamoDB: runs and what became of
// each of their targets, dirty sources, the jobs of the documents and
// embeddings stages, and a little shared state.
//
// The run row decides. Whoever changes a run does so under the condition that
// it is still as it was read, and a terminal run never changes.
// docs/data-model.md shows every row.
package ledger
