// Package worker carries requests from the FIFO queues to their commit.
//
// batch.go orders the messages of one Lambda invocation. engine.go decides what
// to do about one message, and attempt.go carries its run from the claim to the
// start of the workflow; both read from top to bottom. commit.go builds the one
// transaction that makes a run visible, and failure.go decides whether a
// failure ends the run or delays it.
//
// A worker can die at any step. The run row tells the next worker, or the
// sweeper, where to go on:
//
//	dies after         leaves behind                          cleaned up by
//	the claim          a lease                                the next delivery, once the lease has expired
//	preflight          the same; nothing was written          the same
//	entering ingest    the same, and a mark for the sweeper   the next delivery; the sweeper removes the mark
//	staging            items that no head names               the orphan sweeper, once the run has ended
//	the commit         superseded items without an expiry,    the orphan sweeper; the next delivery, or after
//	                   and no workflow                        a minute the sweeper, starts the workflow
//	starting it        a start that nobody recorded           the docs stage records it; a second start is harmless
//
// A message is deleted only once its run is terminal, or committed with its
// workflow started.
package worker
