// Package eval measures the quality of search: how high each way of ranking puts
// what a query asks for.
package eval

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/test/corpus"
)

// The sets of queries.
const (
	// SetTitle has the title of each entity as a query. The index has no titles, so
	// the entity must be found by its description and comments.
	SetTitle = "title"
	// SetComment has the first comment of each entity as a query. The index has no
	// comments.
	SetComment = "comment"
	// SetDuplicate has the text of each entity that duplicates another one as a
	// query for that one.
	SetDuplicate = "duplicate"
	// SetParaphrase has questions in other words than those of the entity.
	SetParaphrase = "paraphrase"
	// SetIdentifier has error messages, names and codes.
	SetIdentifier = "identifier"
	// SetLanguage has queries in German, French and Japanese, and English ones for
	// entities in another language.
	SetLanguage = "language"
)

// Query is a query and what should be found.
type Query struct {
	Set  string `json:"set"`
	Text string `json:"query"`
	// ID is unique within the set: the text, or the key of the entity that the query
	// was taken from.
	ID string `json:"-"`
	// Relevant are the keys of the entities to find.
	Relevant []string `json:"relevant"`
	// Self is the key of the entity that the query was taken from and that must not
	// be counted as a hit, or "".
	Self string `json:"-"`
}

//go:embed queries.jsonl
var queries []byte

// Queries returns the queries for [corpus.Harbor].
func Queries() ([]Query, error) { return ReadQueries(bytes.NewReader(queries)) }

// ReadQueries reads one JSON object per line: `{"set": "paraphrase", "query": "…",
// "relevant": ["101#issue#1"]}`.
func ReadQueries(r io.Reader) ([]Query, error) {
	var all []Query
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var q Query
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if q.Set == "" || strings.TrimSpace(q.Text) == "" || len(q.Relevant) == 0 {
			return nil, fmt.Errorf("line %d: set, query and relevant must be given", n)
		}
		q.ID = q.Text
		all = append(all, q)
	}
	return all, lines.Err()
}

// least is how many characters make a text worth looking for.
const least = 60

// Derived returns the queries that are taken from a corpus: titles, comments and
// duplicates.
func Derived(entities []corpus.Entity) []Query {
	return slices.Concat(titles(entities), comments(entities), duplicates(entities))
}

// titles leaves out entities with little text besides the title.
func titles(entities []corpus.Entity) []Query {
	var all []Query
	for _, e := range entities {
		length := len(e.Description)
		for _, discussion := range e.Discussions {
			for _, note := range discussion {
				length += len(note.Body)
			}
		}
		if length >= least {
			all = append(all, Query{Set: SetTitle, ID: e.Key(), Text: e.Title, Relevant: []string{e.Key()}})
		}
	}
	return all
}

// comments leaves out entities whose first comment says little.
func comments(entities []corpus.Entity) []Query {
	var all []Query
	for _, e := range entities {
		if len(e.Discussions) > 0 && len(e.Discussions[0]) > 0 && len(e.Discussions[0][0].Body) >= least {
			all = append(all, Query{Set: SetComment, ID: e.Key(), Text: e.Discussions[0][0].Body, Relevant: []string{e.Key()}})
		}
	}
	return all
}

// duplicates has the text that an author wrote before anybody answered.
func duplicates(entities []corpus.Entity) []Query {
	var all []Query
	for _, e := range entities {
		if e.DuplicateOf != "" {
			all = append(all, Query{
				Set: SetDuplicate, ID: e.Key(), Text: e.Title + "\n\n" + e.Description, Relevant: []string{e.DuplicateOf}, Self: e.Key(),
			})
		}
	}
	return all
}
