// Package model explores what can happen to Lorehook, and checks what came of
// it. Random interleavings run the real code, on an in-memory DynamoDB (or a
// real one), against a GitLab whose every state is known: webhooks that get
// lost, come twice, late or out of order; runs by hand, retries, cancels,
// drains and sweeps; workers that die, freeze and go on after their lease;
// writes that fail, that are applied although they fail, or that land long
// after their caller died; replicas that lag and clocks that differ.
//
// Every call that leaves a function (to DynamoDB, GitLab, SQS, Step Functions)
// stops at the scheduler, which lets one go at a time, as the sequence says.
// Time is that of a [testing/synctest] bubble. So a sequence is the same each
// time it runs: a failing one is printed with its seed, and shrinks.
//
// The oracle looks at outcomes, never at calls. After each write: versions
// never decrease, what is visible equals one fetch, no job is open in a run
// that ended, a run that ended stays as it is, nothing hidden is visible, and
// only dirty sources of one's own (or named by a drain) go. In the end, after
// quiescence: every acknowledged event is applied or accounted for, and after
// one reconciling sync of each changed entity the content equals GitLab's, the
// documents and embeddings equal what the content renders to, and nothing that
// was staged for nothing is left.
package model
