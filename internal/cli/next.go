package cli

import (
	"errors"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// next returns what to do about a failure.
func (s *session) next(e *surgical.Error) []advice.Step {
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
	case CodeHookUnhealthy:
		return []advice.Step{{Text: "Add or repair the hook.", Command: "lore hooks add"}}
	}
	steps := advice.OfError(e)
	if (e.Code == surgical.CodeEntityNotFound || e.Code == surgical.CodeEntityGone) && s.about.IID != 0 {
		steps[0].Command = advice.Why(s.about)
	}
	return steps
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
