package search

import (
	"errors"
	"time"

	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Answer is a page of hits, best first.
type Answer struct {
	Hits []Hit
	// Next is where the next page goes on ([Query.From]); 0 if this is the last one.
	Next int
	// Mode, Model and AsOf are those of [Candidates].
	Mode  Mode
	Model string
	// Reason is why only words were compared; "" if Mode is [Hybrid].
	Reason string
	AsOf   time.Time
}

// Hit is an entity that matches.
type Hit struct {
	// Head is the entity's, as it was read for this answer.
	Head surgical.Head
	// Score is comparable within one answer only.
	Score float64
	// Passages are the parts of its text that match best, at most three.
	Passages []Passage
}

// Passage is a part of a document's text.
type Passage struct {
	Document string
	// Author is the user name of who began the document, and CreatedAt when that was, as
	// far as GitLab says.
	Author    string
	CreatedAt time.Time
	// URL is the document's page in GitLab.
	URL  string
	Text string
	// Marks are the words of the query in the text.
	Marks []Mark
}

// Mark is a part of a text, counted in characters.
type Mark struct {
	Start int `json:"start" doc:"The number of characters before it."`
	End   int `json:"end" doc:"The number of characters up to its end."`
}

// Reply is what the search function returns: an answer, or a failure.
type Reply struct {
	Answer Answer `json:"answer,omitzero"`
	// Failure is nil if there is an answer; RetryAfter belongs to it, in seconds.
	Failure    *surgical.Error `json:"failure,omitempty"`
	RetryAfter int64           `json:"retry_after,omitempty"`
	// Damaged reports whether the cause of the failure is [ErrDamaged].
	Damaged bool `json:"damaged,omitempty"`
}

// ReplyOf returns the reply of a query that ended so.
func ReplyOf(answer Answer, err error) Reply {
	if err == nil {
		return Reply{Answer: answer}
	}
	failure := surgical.AsError(outage.Typed(err))
	return Reply{Failure: failure, RetryAfter: failure.Seconds(), Damaged: errors.Is(err, ErrDamaged)}
}

// Result returns the answer, or the failure as an error.
func (r Reply) Result() (Answer, error) {
	if r.Failure == nil {
		return r.Answer, nil
	}
	failure := r.Failure
	if r.Damaged {
		failure = surgical.WrapError(failure.Code, ErrDamaged, failure.Message)
	}
	failure.RetryAfter = time.Duration(r.RetryAfter) * time.Second
	return Answer{}, failure
}
