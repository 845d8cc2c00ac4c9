package console

import "gitlab.com/lorehook/lorehook/internal/surgical"

// problemView is a failure of the console itself.
type problemView struct {
	Code, Message string
	// Help says what to do about it.
	Help string
	Home link
}

// problem is the page of a failure.
func (f frame) problem(q Query, err error) page {
	e := surgical.AsError(err)
	p := f.blank(q)
	p.Title = "This page could not be made"
	view := &problemView{Code: string(e.Code), Message: printable(e.Message), Home: f.to("Overview", Query{View: ViewOverview})}
	switch e.Code {
	case surgical.CodeInvalidRequest:
		p.Title, view.Help = "That cannot be shown", "Correct what is named above."
	case surgical.CodeRunNotFound:
		p.Title = "No such run"
		view.Help = "Runs are kept for 90 days after their end. A webhook's run is in the ledger once a worker has taken it."
	case surgical.CodeEntityNotFound:
		p.Title, view.Help = "No such page", "The address leads nowhere."
	default:
		view.Help = "The ledger's tables could not be read. The log of this console or function names the cause; Refresh tries again."
	}
	p.Problem = view
	return p
}
