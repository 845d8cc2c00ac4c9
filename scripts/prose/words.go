package main

import (
	"regexp"
	"strings"
)

// rule finds words that read as a translation, and says what to write instead.
type rule struct {
	words, except *regexp.Regexp
	instead       string
}

// words makes a rule. Both patterns ignore case, and a space in them matches a
// break of the line too. What except matches, with the word before and after,
// is idiomatic.
func words(pattern, except, instead string) rule {
	compile := func(p string) *regexp.Regexp {
		return regexp.MustCompile(`(?i)` + strings.ReplaceAll(p, " ", `\s+`))
	}
	r := rule{words: compile(`\b(?:` + pattern + `)\b`), instead: instead}
	if except != "" {
		r.except = compile(`\b(?:` + except + `)\b`)
	}
	return r
}

// rules is the project's word list. A word belongs here only if it is wrong
// nearly everywhere: a check with many false alarms is soon ignored.
var rules = []rule{
	words(`stands? (in|there|at|under)|stood (in|there|at|under)`, `stands? in for|stood in for`, "is in, is stored in"),
	words(`(is|are|was|were|be|been) told`, `(is|are|was|were|be|been) told apart`, "is notified, receives, is reported to"),
	words(`(is|are|was|were|be|been) asked`, `(is|are|was|were|be|been) asked (to|for)`, "is queried, is called, is requested"),
	words(`(is|are|was|were) said`, `(is|are|was|were) said to`, "is stated, is reported"),
	words(`tells? (nobody|somebody|anybody|no one)|(nobody|somebody) to tell|(nobody|somebody) is told`, "", "notifies no one, notifies someone"),
	words(`hears? (of|what|nothing)`, "", "receives, learns of"),
	words(`who(so|m)?ever`, "", "callers, anyone who, the caller"),
	words(`meanwhile`, "", "in the meantime"),
	words(`in the mean`, "", "on average"),
	words(`alone`, `(leaves?|left|lets?|leaving|runs?|running) (\S+ ){0,3}alone|alone or together|stand-alone|not alone`, "only, by itself"),
	words(`(is|are|was|were) no [a-z]+`, `there (is|are|was|were) no|(is|are|was|were) no (longer|more|less|fewer|later|earlier|larger|smaller|longer|shorter|newer|older|better|worse|different|one)|(is|are|was|were) no more than`, "is not a, is not an, are not"),
	words(`as (it|they|he|she) should( be)?`, `as (it|they) should [a-z]+ed`, "as expected, correctly"),
	words(`(came|comes|come|coming) out as`, "", "finished with, ended as"),
	words(`what (came|comes|became|becomes) of`, "", "the result of, what happened to"),
	words(`for good`, `for good (measure|reason)|green for good`, "permanently, durably"),
	words(`to be had`, "", "available"),
	words(`(one|two|three|file|line) an? (attempt|call|change|concern|decision|entity|job|message|page|request|row|run|stage|table|test)`, "", "one per …"),
	words(`judged? by|judged`, "", "checked, checked against, decided by"),
}

// find returns the places of the words, as pairs of offsets.
func (r rule) find(text string) [][]int {
	var found [][]int
	for _, at := range r.words.FindAllStringIndex(text, -1) {
		if r.except == nil || !r.excused(text, at) {
			found = append(found, at)
		}
	}
	return found
}

// excused reports whether an idiomatic phrase covers the words.
func (r rule) excused(text string, at []int) bool {
	from, to := max(0, at[0]-40), min(len(text), at[1]+40)
	for _, phrase := range r.except.FindAllStringIndex(text[from:to], -1) {
		if from+phrase[0] < at[1] && from+phrase[1] > at[0] {
			return true
		}
	}
	return false
}
