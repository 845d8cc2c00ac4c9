package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/posener/complete"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// completionTime is how long a key press may wait for values of the API.
const completionTime = 2 * time.Second

// predictors complete the values of flags and arguments, by the name in their tag. Flags
// with an enum need none.
func (s *session) predictors(ctx context.Context) map[string]complete.Predictor {
	return map[string]complete.Predictor{
		"status":   complete.PredictSet(texts(surgical.RunStatuses())...),
		"state":    complete.PredictSet(append(search.States(), allStates)...),
		"level":    complete.PredictSet(logLevels()...),
		"function": complete.PredictSet(functionNames()...),
		"project":  s.asked(ctx, projectNames),
		"run":      s.asked(ctx, runNames),
		"key":      complete.PredictSet(keyNames()...),
		"profile": complete.PredictFunc(func(complete.Args) []string {
			file, err := s.readConfig()
			if err != nil {
				return nil
			}
			return file.names()
		}),
	}
}

// asked completes with what the API knows, or with nothing if it does not answer at once.
func (s *session) asked(ctx context.Context, names func(context.Context, *apiclient.Client) ([]string, error)) complete.Predictor {
	return complete.PredictFunc(func(complete.Args) []string {
		ctx, cancel := context.WithTimeout(ctx, completionTime)
		defer cancel()
		client, err := s.client(ctx)
		if err != nil {
			return nil
		}
		found, err := names(ctx, client)
		if err != nil {
			return nil
		}
		return found
	})
}

// projectNames are the paths of the first projects, or their ids if they have none.
func projectNames(ctx context.Context, client *apiclient.Client) ([]string, error) {
	list, err := client.Projects(ctx, 100, "")
	var names []string
	for _, p := range list.Value.Projects {
		if p.Path == "" {
			p.Path = strconv.FormatInt(p.ProjectID, 10)
		}
		names = append(names, p.Path)
	}
	return names, err
}

// runNames are the beginnings of the ids of the newest runs.
func runNames(ctx context.Context, client *apiclient.Client) ([]string, error) {
	list, err := client.Runs(ctx, apiclient.Filter{Limit: 50})
	return shortened(list.Value.Runs, func(r apiclient.Run) string { return r.RunID }), err
}
