package cli

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// shownID is how much of a run's id tables show, unless that is ambiguous in the
	// table, and shortestID how much of it names a run at least.
	shownID, shortestID = 8, 4
	// searchedRuns is among how many runs of each status a short id is searched, the
	// newest first: one request for every 100.
	searchedRuns = 200
)

// wholeID is the length of every id that Lorehook makes ([surgical.RunID]).
var wholeID = len(surgical.RunID(surgical.OriginManual, ""))

// checkRunID rejects ids that the API would reject.
func checkRunID(id string) error {
	if !regexp.MustCompile(`^[a-z0-9]{1,64}$`).MatchString(id) {
		return invalid("a run id has 1 to 64 lowercase letters and digits, got %q", id)
	}
	return nil
}

// runID returns the id of the run that text is the id, or the beginning of the id, of.
// Short ones are searched among the newest runs. Several candidates are an
// [ambiguousRun]. If there is none, the text is returned: the API says that it knows no
// such run.
func (s *session) runID(ctx context.Context, client *apiclient.Client, text string) (string, error) {
	if err := checkRunID(text); err != nil || len(text) < shortestID || len(text) >= wholeID {
		return text, err
	}
	found, err := candidates(ctx, client, text)
	switch {
	case err != nil:
		return "", err
	case len(found) == 0 || slices.Contains(found, text):
		return text, nil
	case len(found) == 1:
		return found[0], nil
	}
	return "", &ambiguousRun{found, &surgical.Error{
		Code: CodeRunAmbiguous, Action: surgical.ActionFixRequest,
		Message: fmt.Sprintf("the ids of %d runs begin with %s: %s", len(found), text, strings.Join(found, " ")),
	}}
}

// ambiguousRun is the error for the beginning of several ids.
type ambiguousRun struct {
	candidates []string
	typed      *surgical.Error
}

func (a *ambiguousRun) Error() string { return a.typed.Error() }

// Unwrap returns the typed error.
func (a *ambiguousRun) Unwrap() error { return a.typed }

// candidates returns the ids that begin with the text, the newest run's first.
func candidates(ctx context.Context, client *apiclient.Client, text string) ([]string, error) {
	statuses := surgical.RunStatuses()
	lists := make([][]apiclient.Run, len(statuses))
	group, ctx := parallel.WithContext(ctx)
	for i, status := range statuses {
		group.Go(func() error {
			list, err := client.Runs(ctx, apiclient.Filter{Status: status, Limit: searchedRuns})
			lists[i] = list.Value.Runs
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	matching := slices.DeleteFunc(slices.Concat(lists...), func(run apiclient.Run) bool { return !strings.HasPrefix(run.RunID, text) })
	slices.SortFunc(matching, func(a, b apiclient.Run) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.RunID, b.RunID))
	})
	var ids []string
	for _, run := range matching {
		if !slices.Contains(ids, run.RunID) { // its status changed between two lists
			ids = append(ids, run.RunID)
		}
	}
	return ids, nil
}

// shortened cuts the ids of the rows to the same length, at which they are still
// different.
func shortened[T any](rows []T, idOf func(T) string) []string {
	short, ids := make([]string, len(rows)), make([]string, len(rows))
	for i, row := range rows {
		ids[i] = idOf(row)
	}
	for length := shownID; ; length++ {
		cut, longest := map[string]string{}, 0
		unique := true
		for i, id := range ids {
			short[i], longest = id[:min(length, len(id))], max(longest, len(id))
			other, taken := cut[short[i]]
			unique = unique && (!taken || other == id)
			cut[short[i]] = id
		}
		if unique || length >= longest {
			return short
		}
	}
}
