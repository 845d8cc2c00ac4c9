// Package model explores what can happen to Lorehook, and checks the results.
// Random interleavings run the real code, on an in-memory DynamoDB (or a real
// one), against a GitLab whose every state is known: webhooks that are lost,
// duplicated, late or out of order; manual runs, retries, cancellations, drains,
// sweeps, and erasing and its undoing; workers that die, or freeze and continue after their lease;
// writes that fail, that are applied although they fail, or that land long
// after their caller died; lagging replicas and skewed clocks.
//
// Every call that leaves a function (to DynamoDB, GitLab, SQS, Step Functions)
// stops at the scheduler, which releases one at a time in the order of the
// sequence. Time is that of a [testing/synctest] bubble. A sequence is
// therefore reproducible: a failing one is shrunk and printed with its seed.
//
// The oracle checks outcomes, never calls. After each write: versions never
// decrease, the visible content equals one fetch, no job is open in a run that
// has ended, an ended run does not change, nothing hidden or erased is visible, and runs
// delete only their own dirty sources (or those that they take over by name). At the end,
// when the system is quiescent: every acknowledged event is applied or
// accounted for, and after one reconciling sync of each changed entity the
// content equals GitLab's, the documents and embeddings match the rendered
// content, and no orphaned items are left. Of what is erased, nothing is left.
package model
