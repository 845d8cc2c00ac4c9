package console

import (
	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// problemView is an error of the console itself.
type problemView struct {
	Code, Message string
	// Help says what to do about it, and Command is the lore command for it, if any.
	Help, Command string
	// Sentences explain it further.
	Sentences []string
	// Links lead on, the first one to the start.
	Links []link
}

// problem returns the page for an error.
func (f frame) problem(q Query, err error) page {
	e := surgical.AsError(err)
	p := f.blank(q)
	p.Title = "This page could not be loaded"
	view := &problemView{Code: string(e.Code), Message: plaintext.Line(e.Message), Links: []link{f.to("Overview", Query{View: ViewOverview})}}
	switch e.Code {
	case surgical.CodeInvalidRequest:
		p.Title, view.Help = "Invalid request", "Correct the parameters named above."
	case surgical.CodeRunNotFound:
		p.Title = "Run not found"
		step, _ := advice.OfCode(e.Code)
		view.Help = step.Text
	case surgical.CodeEntityNotFound:
		p.Title, view.Help = "Page not found", "Check the URL."
	default:
		view.Help = "The ledger's tables could not be read. The log of this console or function has the cause. Use Refresh to try again."
	}
	p.Problem = view
	return p
}
