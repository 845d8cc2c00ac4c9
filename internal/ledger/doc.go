// Package ledger is the control plane on DynamoDB: runs and the outcomes of
// their targets, dirty sources, the jobs of the documents and embeddings
// stages, projects, and a little shared state.
//
// The run row decides. Every change of a run is conditional on the run being
// unchanged since it was read, and a terminal run never changes.
// docs/data-model.md shows every row.
package ledger
