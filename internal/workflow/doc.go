// Package workflow turns committed content into documents and embeddings. A
// run that committed something leaves one docs job per target; an execution of
// the state machine infra/workflow.asl.json works through them.
//
// # States
//
// One execution enters its states in this order:
//
//  1. Docs ([Runner] with [Documents]) renders what changed, and embeds a small
//     change right away. It leaves one embed job for each other target whose
//     documents have no current embeddings, and for those it failed to embed. If
//     its job was the run's only one, and nothing is left, the end of the job
//     closes the run, and the execution ends.
//  2. Embed ([Runner] with [Embeddings]) embeds those documents. It is skipped
//     if no such job was left, or if the run asked for no embeddings.
//  3. Finish ([Finish]) closes the run: as succeeded, or as failed if a job
//     failed.
//
// A job that fails does not stop the others. A permanent failure ends the job
// only; its run is closed as failed once the others are done, with a failure for
// each target that was left undone. If any job failed with an error that may not
// occur again, the state fails with a [Transient] error after the others. A state
// that fails, after one retry if the error was [Transient] or the function died,
// leads to Abort ([Abort]), which postpones the run, or closes it as failed
// ([Setbacks]). Docs and embed may also end
// without leading anywhere: they answer [HandedOn] when the next generation
// (another execution of the same run) does the rest, and [Yielded] when
// somebody else works on the run or it has ended.
//
// # What a crash leaves behind
//
// Every write has a condition on the row that it depends on, so repeating a
// state, or running two executions of one run at a time, is safe. A function
// that dies without an answer leaves:
//
//   - Between the start of an execution and its record in the run row (see
//     [Launcher]): a second execution of the same generation. Either may do a
//     job, and takes it over from the other one, which notices when it ends.
//   - In docs or embed, with a job claimed: the batches written so far, and the
//     job's claim. The state machine invokes the function again, which takes the
//     claim over at once, because it has the same generation. If that dies too,
//     Abort postpones the run and the sweeper (package sweep) starts the next
//     generation. A run whose functions died five times fails. Its dirty source
//     stays, and once it is 15 minutes old the sweeper sends a drain run for it,
//     which finds the batches that were written to be up to date.
//   - In docs, between writing a long document's segments and naming them:
//     segments without a name. The job's second claim, or its abort, marks the
//     run for the orphan sweep, which lets them expire.
//   - In docs, after its last write: a run that is closed, or whose jobs are all
//     done. The next try answers [Yielded] to the one, and [Done] to the other.
//   - In embed, between storing vectors and the embeddings that name them:
//     vectors that no reader uses. The next try uses them again.
//   - In docs or embed, between handing the job back and starting the next
//     generation: a pending job. The state is retried and works on it, or,
//     when no retry is left, the next generation does.
//   - In finish: a running run whose jobs are all done. The retry closes it, or
//     Abort does, or the sweeper: as succeeded, because nothing is left to do.
//   - In Abort: a running run. The sweeper settles it in the same way.
//
// An execution that exceeds its own timeout (Step Functions runs no catch then)
// is left in one of these states, and the sweeper closes the run.
package workflow
