package surgical

// StageError returns the error of a run whose stage failed after its commit.
func StageError(runID string, stage Stage) *Error {
	code, message := CodeInternal, "the run could not be finished"
	switch stage {
	case StageDocs:
		code, message = CodeDocsFailed, "the documents could not be regenerated; the content is committed"
	case StageEmbed:
		code, message = CodeEmbedFailed, "the documents could not be embedded; the content is committed"
	}
	e := NewError(code, message)
	e.RunID = runID
	return e
}

// With returns a copy of the error for a run with that many targets, of which
// these failed. Action and retryable follow from the failures: a retry helps if
// it helps one of them. If it helps none, the action is the one that they share,
// or else to contact an operator.
func (e *Error) With(total int, failures []TargetFailure) *Error {
	out := *e
	out.Total, out.Failures = total, failures
	if len(failures) == 0 {
		return &out
	}
	out.Action, out.Retryable = failures[0].Action, false
	for _, f := range failures {
		if f.Retryable {
			out.Action, out.Retryable = ActionRetryFailed, true
			break
		}
		if f.Action != out.Action {
			out.Action = ActionContactOperator
		}
	}
	return &out
}
