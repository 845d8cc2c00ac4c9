package worker

// Process is one message's, in the caller's goroutine.
var Process = (*Batch).process
