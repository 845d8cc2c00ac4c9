package surgical

import "time"

// RateLimit is what GitLab said about the budget of requests that the token's user
// has. Not every GitLab says so.
type RateLimit struct {
	// Limit is the number of requests in GitLab's interval, one minute by default,
	// and Remaining how many of them are left; -1 if GitLab did not say.
	Limit, Remaining int64
	// Reset is when the interval ends, by GitLab's clock; zero if it did not say.
	Reset time.Time
}

// Spare returns until when passes leave what remains of the budget to webhooks: to the
// end of GitLab's interval, once no more than [WebhookReserve] percent of it are left. ok
// is false while there is more, or if GitLab did not say.
func (l RateLimit) Spare(now time.Time) (until time.Time, ok bool) {
	if l.Limit <= 0 || l.Remaining < 0 || l.Remaining*100 > l.Limit*WebhookReserve {
		return time.Time{}, false
	}
	// GitLab's clock may differ from ours.
	wait := min(max(l.Reset.Sub(now), time.Second), MaxSpare)
	if l.Reset.IsZero() {
		wait = DefaultPause
	}
	return now.Add(wait), true
}
