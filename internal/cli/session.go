package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// session is one run of the program.
type session struct {
	Env
	globals
	began time.Time
	robot bool
	// out prints results to stdout, err everything else to stderr.
	out, err *printer
	data     any
	// about is the entity that the command is about, if it is about one.
	about surgical.EntityRef
	// command is how the chosen command is called; "" if the arguments name none.
	command string
}

func (s *session) colourful() bool {
	_, plain := s.LookupEnv("NO_COLOR")
	return !plain && s.lookup("TERM") != "dumb"
}

// answer sets a command's result: data for the envelope, or show for people.
func (s *session) answer(data any, show func(*printer)) {
	s.data = data
	if !s.robot && show != nil {
		show(s.out)
	}
}

// finish prints the envelope or the error, and returns the exit code.
func (s *session) finish(ctx context.Context, err error) int {
	s.err.clear()
	var failure *surgical.Error
	if err != nil {
		failure = failureOf(ctx, err)
	}
	if s.robot {
		s.envelope(failure, detailsOf(err))
	} else if failure != nil {
		s.err.failure(failure, s.next(failure))
	}
	if failure == nil {
		return 0
	}
	return exitOf(failure.Code)
}

// failureOf returns err as a typed error. An untyped error becomes
// [surgical.CodeInternal] and keeps its message, because there are no logs to
// consult.
func failureOf(ctx context.Context, err error) *surgical.Error {
	var typed *surgical.Error
	switch {
	case errors.As(err, &typed):
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		typed = &surgical.Error{Code: CodeInterrupted, Message: "interrupted", Action: surgical.ActionRetryAfter, Retryable: true}
	default:
		typed = surgical.WrapError(surgical.CodeInternal, err, err.Error())
	}
	typed.Message = strings.ReplaceAll(typed.Message, "\n", "; ")
	return typed
}

// envelopeError is the JSON of a failure in the envelope.
type envelopeError struct {
	*surgical.Error
	// RetryAfter is in seconds.
	RetryAfter int64 `json:"retry_after,omitempty"`
	errorDetails
	// Next is what to do about it.
	Next []advice.Step `json:"next,omitempty"`
}

// errorDetails is what only some failures have.
type errorDetails struct {
	// Candidates are the ids that an ambiguous one is the beginning of.
	Candidates []string `json:"candidates,omitempty"`
	// Checks are those of lore doctor.
	Checks []check `json:"checks,omitempty"`
}

func detailsOf(err error) (d errorDetails) {
	var ambiguous *ambiguousRun
	if errors.As(err, &ambiguous) {
		d.Candidates = ambiguous.candidates
	}
	var unwell *failedChecks
	if errors.As(err, &unwell) {
		d.Checks = unwell.checks
	}
	return d
}

type envelopeMeta struct {
	ElapsedMS int64 `json:"elapsed_ms"`
}

func (s *session) envelope(failure *surgical.Error, details errorDetails) {
	meta := envelopeMeta{s.Clock().Sub(s.began).Milliseconds()}
	var body any
	if failure == nil {
		body = struct {
			OK   bool         `json:"ok"`
			Data any          `json:"data"`
			Meta envelopeMeta `json:"meta"`
		}{true, s.data, meta}
	} else {
		body = struct {
			OK    bool          `json:"ok"`
			Error envelopeError `json:"error"`
			Meta  envelopeMeta  `json:"meta"`
		}{false, envelopeError{Error: failure, RetryAfter: failure.Seconds(), errorDetails: details, Next: s.next(failure)}, meta}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		raw = fmt.Appendf(nil, `{"ok":false,"error":{"code":"internal","message":"the response could not be encoded","action":"contact_operator","retryable":false},"meta":{"elapsed_ms":%d}}`, meta.ElapsedMS)
	}
	fmt.Fprintf(s.Stdout, "%s\n", plaintext.JSON(raw))
}

// invalid returns an error for an invalid command line, with the code that the API
// uses for an invalid request.
func invalid(format string, args ...any) error {
	return surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf(format, args...))
}
