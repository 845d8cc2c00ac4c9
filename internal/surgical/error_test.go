package surgical_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestTooLarge_AdvisesFewerTargetsOnlyIfThereAreSeveral(t *testing.T) {
	const fewer = "request fewer targets at a time"
	for name, c := range map[string]struct {
		err   *surgical.Error
		fewer bool
		cause error
	}{
		"no room beside others":        {surgical.RunTooLarge(), true, surgical.ErrNoRoom},
		"too many requests for one":    {surgical.RunTooLong(1, 400), false, surgical.ErrNoTime},
		"too many requests for 25":     {surgical.RunTooLong(25, 400), true, surgical.ErrNoTime},
		"too many write units for one": {surgical.WriteTooLong(1, 90_000, time.Minute), false, nil},
		"too many write units for 25":  {surgical.WriteTooLong(25, 90_000, time.Minute), true, nil},
	} {
		says := strings.Contains(c.err.Message, fewer)
		if c.err.Code != surgical.CodeEntityTooLarge || c.err.Retryable || says != c.fewer || (c.err.Action == surgical.ActionFixRequest) != c.fewer {
			t.Errorf("%s: %+v", name, c.err)
		}
		if c.cause != nil && !errors.Is(c.err, c.cause) {
			t.Errorf("%s: the cause is %v", name, errors.Unwrap(c.err))
		}
	}
}

func TestListedState_PutsAnUndocumentedStateAside(t *testing.T) {
	for _, c := range []struct {
		kind        surgical.EntityType
		state, want string
	}{
		{surgical.Issue, "opened", "opened"}, {surgical.Issue, "merged", "other"}, {surgical.MergeRequest, "merged", "merged"},
		{surgical.MergeRequest, "locked", "locked"}, {surgical.MergeRequest, "", "other"},
	} {
		if got := surgical.ListedState(c.kind, c.state); got != c.want {
			t.Errorf("%s %q is listed by %q, want %q", c.kind, c.state, got, c.want)
		}
	}
}
