package surgical_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestSighting_HidesOnlyWhatWasOutOfSightLongEnough(t *testing.T) {
	const day = 24 * time.Hour
	begin := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	lost := surgical.NewError(surgical.CodeGitLabNotFound, "404")
	unread := surgical.WrapError(surgical.CodeGitLabUnauthorized, fmt.Errorf("%w: out of reach", surgical.ErrTokenUnread), "x")
	if got := unread.PauseReason(); got == surgical.CodeGitLabUnauthorized || lost.PauseReason() != surgical.CodeGitLabNotFound {
		t.Errorf("pauses as %s", got)
	}
	unseen := surgical.Project{ID: 1, UnseenSince: begin}
	hidden := surgical.Project{ID: 1, UnseenSince: begin, HiddenAt: begin.Add(day)}
	for name, c := range map[string]struct {
		project surgical.Project
		err     error
		after   time.Duration
		want    surgical.Sighting
	}{
		"shown":                             {surgical.Project{}, nil, 0, surgical.Sighting{}},
		"404 for the first time":            {surgical.Project{}, lost, 0, surgical.Sighting{Unseen: true}},
		"403":                               {surgical.Project{}, surgical.NewError(surgical.CodeGitLabForbidden, ""), 0, surgical.Sighting{Unseen: true}},
		"401":                               {surgical.Project{}, surgical.NewError(surgical.CodeGitLabUnauthorized, ""), 0, surgical.Sighting{Unseen: true}},
		"the token could not be read":       {unseen, unread, 2 * day, surgical.Sighting{}},
		"GitLab does not respond":           {unseen, surgical.NewError(surgical.CodeGitLabUnavailable, ""), 2 * day, surgical.Sighting{}},
		"GitLab limits the rate":            {unseen, surgical.NewError(surgical.CodeGitLabRateLimited, ""), 2 * day, surgical.Sighting{}},
		"a failure of ours":                 {unseen, errors.New("broken"), 2 * day, surgical.Sighting{}},
		"404 a moment too early":            {unseen, lost, day - time.Microsecond, surgical.Sighting{Unseen: true}},
		"404 for a day":                     {unseen, lost, day, surgical.Sighting{Unseen: true, HideAt: begin.Add(day)}},
		"hidden before it was lost":         {surgical.Project{UnseenSince: begin, HiddenAt: begin.Add(-day)}, lost, day, surgical.Sighting{Unseen: true, HideAt: begin.Add(day)}},
		"hidden already":                    {hidden, lost, 3 * day, surgical.Sighting{Unseen: true}},
		"back before a day":                 {unseen, nil, time.Hour, surgical.Sighting{Back: true}},
		"back after it was hidden":          {hidden, nil, 3 * day, surgical.Sighting{Back: true, Restore: true}},
		"back, hidden before it was lost":   {surgical.Project{UnseenSince: begin, HiddenAt: begin.Add(-day)}, nil, time.Hour, surgical.Sighting{Back: true}},
		"shown, hidden long ago":            {surgical.Project{HiddenAt: begin}, nil, day, surgical.Sighting{}},
		"lost again after it was hidden":    {surgical.Project{HiddenAt: begin}, lost, day, surgical.Sighting{Unseen: true}},
		"hidden by hand while out of sight": {surgical.Project{UnseenSince: begin, HiddenAt: begin.Add(time.Hour)}, nil, 2 * time.Hour, surgical.Sighting{Back: true, Restore: true}},
	} {
		if diff := cmp.Diff(c.want, c.project.Sighting(c.err, begin.Add(c.after), day)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Whatever GitLab answers, a project is hidden only after a day without a single
// sighting, and once a day has passed at the next answer; and whatever was hidden
// while it was out of sight is restored when it is back.
func TestSighting_InAnyOrderOfAnswers(t *testing.T) {
	const day = 24 * time.Hour
	answers := []error{
		nil, surgical.NewError(surgical.CodeGitLabNotFound, ""), surgical.NewError(surgical.CodeGitLabForbidden, ""),
		surgical.NewError(surgical.CodeGitLabUnauthorized, ""), surgical.NewError(surgical.CodeGitLabUnavailable, ""),
	}
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
		p := surgical.Project{ID: 1}
		var lostSince time.Time // without a sighting since
		restore := false        // hidden since lostSince
		for range rapid.IntRange(1, 40).Draw(rt, "answers") {
			now = now.Add(time.Duration(rapid.IntRange(1, 30).Draw(rt, "hours")) * time.Hour)
			err := answers[rapid.IntRange(0, len(answers)-1).Draw(rt, "answer")]
			s := p.Sighting(err, now, day)
			refused := err != nil && surgical.CodeOf(err) != surgical.CodeGitLabUnavailable
			due := refused && !lostSince.IsZero() && !now.Before(lostSince.Add(day)) && !restore
			if due != !s.HideAt.IsZero() || due && !s.HideAt.Equal(now) || s.Unseen != refused {
				rt.Fatalf("%v after %v without a sighting: %+v", err, now.Sub(lostSince), s)
			}
			if err == nil && (s.Back == lostSince.IsZero() || s.Restore != restore) {
				rt.Fatalf("back: %+v, hidden in the meantime %v", s, restore)
			}
			switch {
			case err == nil:
				p.UnseenSince, lostSince, restore = time.Time{}, time.Time{}, false
			case refused && lostSince.IsZero():
				p.UnseenSince, lostSince = now, now
			}
			if due {
				p, restore = p.Hide(s.HideAt), true
			}
		}
	})
}
