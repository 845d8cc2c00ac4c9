package scale

import (
	"math"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cost"
)

// Hot is an issue that gets comments all the time.
type Hot struct {
	// Comments came, which took so many Fetches and Requests.
	Comments, Fetches, Requests float64
	// Lag is the mean over all comments, Last that of the last fetch.
	Lag, Last time.Duration
	// LastRequests is how many requests the last fetch took.
	LastRequests float64
}

// requestsOf is how many requests a fetch of an issue takes: the pages of its discussions,
// all but the last twice, and one for each other list.
func requestsOf(comments float64) float64 {
	pages := math.Max(1, math.Ceil(comments/surgical.ListPage))
	return cost.FetchRequests - 1 + 2*pages - 1
}

// hot computes an issue that gets so many comments a second for some time.
func hot(each float64, during time.Duration, s Setting, t times) Hot {
	var h Hot
	interval := (surgical.RefetchInterval + wholeSecond).Seconds()
	settle := surgical.Settle.Seconds()
	covered, lag := 0.0, 0.0
	for at := settle + 1/each; at < during.Seconds()+settle; {
		comments := math.Floor(each * (at - settle))
		// What came in the meantime is read too.
		requests := requestsOf(each * at)
		took := math.Max(t.fetch, (requests-math.Max(cost.FetchRequests, s.Rate))/s.Rate)
		h.Fetches, h.Requests, h.LastRequests = h.Fetches+1, h.Requests+requests, requests
		oldest := at - covered/each
		lag += (comments - covered) * ((oldest+settle)/2 + took)
		h.Last = seconds(oldest + took)
		covered = comments
		at = math.Max(at+interval, at+took+t.between)
	}
	h.Comments = math.Floor(each * during.Seconds())
	if covered > 0 {
		h.Lag = seconds(lag / covered)
	}
	return h
}
