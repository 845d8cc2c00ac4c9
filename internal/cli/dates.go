package cli

import (
	"net/url"

	"gitlab.com/lorehook/lorehook/internal/search"
)

// dates are the flags for the times of issues and merge requests.
type dates struct {
	CreatedAfter  string `placeholder:"DATE" help:"Only created on this day (2026-11-02) or at this time (RFC 3339), or later."`
	CreatedBefore string `placeholder:"DATE" help:"Only created before this day or time."`
	UpdatedAfter  string `placeholder:"DATE" aliases:"since" help:"Only updated on this day or at this time, or later; --since is the same."`
	UpdatedBefore string `placeholder:"DATE" help:"Only updated before this day or time."`
}

// add sets the parameters of the API for the flags that are given.
func (d dates) add(q url.Values) error {
	for _, flag := range []struct{ name, parameter, value string }{
		{"--created-after", "created_after", d.CreatedAfter}, {"--created-before", "created_before", d.CreatedBefore},
		{"--updated-after", "updated_after", d.UpdatedAfter}, {"--updated-before", "updated_before", d.UpdatedBefore},
	} {
		if flag.value == "" {
			continue
		}
		if _, _, err := search.ParseDay(flag.value); err != nil {
			return invalid("%s: %v, got %q", flag.name, err, flag.value)
		}
		q.Set(flag.parameter, flag.value)
	}
	return nil
}
