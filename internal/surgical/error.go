package surgical

import (
	"errors"
	"fmt"
	"time"
)

// Action is what a client or a person can do about a failure.
type Action string

// The actions.
const (
	ActionFixRequest      Action = "fix_request"
	ActionCheckToken      Action = "check_token"
	ActionGrantAccess     Action = "grant_access"
	ActionVerifyIID       Action = "verify_iid"
	ActionRetryAfter      Action = "retry_after"
	ActionRetryFailed     Action = "retry_failed"
	ActionContactOperator Action = "contact_operator"
)

// Error is the type of every failure that leaves the domain. Message is for
// humans and holds no secret. The wrapped cause is only for logs.
type Error struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`
	Action    Action `json:"action"`
	Retryable bool   `json:"retryable"`
	// RetryAfter is the minimum time to wait, or 0 if it is unknown.
	RetryAfter time.Duration `json:"-"`
	// RunID, Total and Failures are set for a run's failure.
	RunID    string          `json:"run_id,omitempty"`
	Total    int             `json:"total,omitempty"`
	Failures []TargetFailure `json:"failures,omitempty"`

	cause error
}

// TargetFailure is what stopped one target of a run.
type TargetFailure struct {
	Target
	Code      Code   `json:"code"`
	Message   string `json:"message"`
	Action    Action `json:"action"`
	Retryable bool   `json:"retryable"`
}

// Error implements error.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// CanSucceedLater reports whether another try may succeed, like [Code.CanSucceedLater], but
// in the case at hand.
func (e *Error) CanSucceedLater() bool { return e.Retryable || e.Code == CodeGitLabForbidden }

// Seconds is RetryAfter in whole seconds, rounded up.
func (e *Error) Seconds() int64 { return int64((e.RetryAfter + time.Second - 1) / time.Second) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// NewError returns an error of the code with that code's action and
// retryability.
func NewError(code Code, message string) *Error {
	e := &Error{Code: code, Message: message}
	e.Action, e.Retryable = code.advice()
	return e
}

// NotAllowed is the error for a project that is not on the allow list.
func NotAllowed(projectID int64) *Error {
	return NewError(CodeProjectNotAllowed, fmt.Sprintf("project %d is not on the allow list", projectID))
}

// WrapError is [NewError] with a cause.
func WrapError(code Code, cause error, message string) *Error {
	e := NewError(code, message)
	e.cause = cause
	return e
}

// AsError returns err as an *Error. Any other error becomes [CodeInternal], whose
// message reveals nothing about the cause.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return WrapError(CodeInternal, err, "an internal error; the logs hold its cause")
}

// CodeOf returns the code of err, or [CodeInternal].
func CodeOf(err error) Code { return AsError(err).Code }

// ErrNoRoom is the cause of [RunTooLarge].
var ErrNoRoom = errors.New("the process has no room for more")

// RunTooLarge is the failure of a target that does not fit what a worker may hold
// together with the others.
func RunTooLarge() *Error {
	e := WrapError(CodeEntityTooLarge, ErrNoRoom,
		fmt.Sprintf("together with the other targets it has more than %d bytes, the limit of one run; request fewer targets at a time", MaxWorkerBytes))
	e.Action = ActionFixRequest
	return e
}

// ErrNoTime is the cause of a fetch's failure if the worker's own rate of requests
// left no time for the next one.
var ErrNoTime = errors.New("the worker's own rate of requests leaves no time")

// RunTooLong is the failure of a target of a run that takes more requests than
// a worker may send in one attempt.
func RunTooLong(targets int, requests int64) *Error {
	e := WrapError(CodeEntityTooLarge, ErrNoTime,
		fmt.Sprintf("the worker's rate of requests allowed %d requests in the %v s of an attempt, and more are needed", requests, PreflightTime.Seconds()))
	if targets > 1 {
		e.Message += "; request fewer targets at a time"
		e.Action = ActionFixRequest
	} else {
		e.Message += "; raise gitlabRequestsPerSecond"
	}
	return e
}

// WriteTooLong is the failure of a target of a run whose items have so many write
// units that DynamoDB takes longer to write them than a worker had.
func WriteTooLong(targets int, units int64, had time.Duration) *Error {
	e := NewError(CodeEntityTooLarge, fmt.Sprintf("at DynamoDB's %d write units a second, its %d units take longer than the %.0f s that a worker had left after the fetch",
		PartitionWriteUnits, units, had.Seconds()))
	if targets > 1 {
		e.Message += "; request fewer targets at a time"
		e.Action = ActionFixRequest
	}
	return e
}

// ErrTokenUnread is the cause of [CodeGitLabUnauthorized] if the token could not be read:
// then GitLab refused nothing.
var ErrTokenUnread = errors.New("the token could not be read")

// PauseReason is the code under which the failure pauses all workers. What GitLab did not
// refuse must not count as its refusal, which hides projects after a day.
func (e *Error) PauseReason() Code {
	if errors.Is(e, ErrTokenUnread) {
		return CodeInternal
	}
	return e.Code
}

// ErrReplaced reports that a backfill was started before, and that a later one of its
// project took its place since.
var ErrReplaced = errors.New("the backfill was started before, and a later one took its place")

// ErrMoved reports that a row is no longer as it was read, so that nothing was
// written: read it again.
var ErrMoved = errors.New("the row is no longer as it was read")

// ErrOpenJobs reports that a run cannot succeed yet, because not every job has
// ended.
var ErrOpenJobs = errors.New("not every job has ended")
