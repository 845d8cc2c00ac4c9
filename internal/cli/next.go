package cli

import (
	"errors"
	"fmt"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// remedied is the cause of a failure that has advice of its own, instead of that of its
// code.
type remedied struct {
	cause error
	step  advice.Step
}

func (r *remedied) Error() string { return r.cause.Error() }

// Unwrap returns the cause.
func (r *remedied) Unwrap() error { return r.cause }

// remedy returns an error with advice of its own.
func remedy(code surgical.Code, step advice.Step, format string, args ...any) *surgical.Error {
	message := fmt.Sprintf(format, args...)
	return surgical.WrapError(code, &remedied{errors.New(message), step}, message)
}

// next returns what to do about a failure.
func (s *session) next(e *surgical.Error) []advice.Step {
	var own *remedied
	if errors.As(e, &own) {
		return []advice.Step{own.step}
	}
	switch e.Code {
	case CodeWaitTimeout, CodeInterrupted:
		if e.RunID == "" {
			return nil
		}
		return []advice.Step{{Text: "Go on following the run.", Command: advice.Watch(e.RunID)}}
	case CodeRunAmbiguous:
		return []advice.Step{{Text: "Pass more of the id."}}
	case CodeOutputFailed, CodeCheckFailed:
		return nil // the message says it all
	case surgical.CodeInvalidRequest:
		return s.usage(e)
	case apiclient.CodeForbidden:
		return []advice.Step{ofCredentials(e.Action)}
	case surgical.CodeInvalidSignature:
		return []advice.Step{{Text: "Set " + signingTokensVariable + " to a token of the stack's secret."}}
	}
	steps := advice.OfError(e)
	if (e.Code == surgical.CodeEntityNotFound || e.Code == surgical.CodeEntityGone) && s.about.IID != 0 {
		steps[0].Command = advice.Why(s.about)
	}
	return steps
}

// ofCredentials says what to do about AWS credentials that are missing, or whose holder
// lacks access.
func ofCredentials(action surgical.Action) advice.Step {
	const who = "aws sts get-caller-identity"
	if action == surgical.ActionGrantAccess {
		return advice.Step{Text: "Have a policy of the stack attached (output ReaderPolicyArn or OperatorPolicyArn) to who you are.", Command: who}
	}
	return advice.Step{Text: "Sign in to AWS, or name a profile (lore config set aws-profile NAME), and repeat the command once this one says who you are.", Command: who}
}

// usage returns what to do about an invalid request.
func (s *session) usage(e *surgical.Error) []advice.Step {
	switch {
	case errors.Is(e, errNoAddress):
		return []advice.Step{{Text: "See what lore finds, and what it needs.", Command: "lore doctor"}}
	case s.command == "":
		return nil // the message names the help
	}
	return []advice.Step{{Text: "See how it is used.", Command: s.command + " --help"}}
}

// next prints suggested actions.
func (p *printer) next(steps []advice.Step) {
	for _, step := range steps {
		for _, line := range stepLines(step, p.onTerminal(p.prose()-len(gap))) {
			p.line("%s", paint(p.faint, "  %s", line))
		}
	}
}

// runAndNext prints a run, and what can be done about it.
func (p *printer) runAndNext(run apiclient.Run) {
	p.run(run)
	p.next(advice.OfRun(run.Domain(), run.Rows(), run.Undone()))
}
