package gitlab

import (
	"net/http"
	"strconv"
	"time"
)

// budget is GitLab's rate limit: so many requests in an interval.
type budget struct {
	limit    int
	interval time.Duration
	began    time.Time
	used     int
}

// SetBudget limits the requests of each interval, and adds the RateLimit-* headers to
// every response; 0 ends that. Beyond the limit, a request gets 429.
func (s *Server) SetBudget(limit int, interval time.Duration) {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	s.budget = budget{limit: limit, interval: interval}
}

// spend takes a request from the budget and sets the headers. It returns false if the
// budget was spent.
func (s *Server) spend(w http.ResponseWriter) bool {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	b := &s.budget
	if b.limit == 0 {
		return true
	}
	now := s.clock()
	if now.Sub(b.began) >= b.interval {
		b.began, b.used = now.Truncate(b.interval), 0
	}
	b.used++
	reset := b.began.Add(b.interval)
	for name, n := range map[string]int64{
		"RateLimit-Limit": int64(b.limit), "RateLimit-Observed": int64(b.used), "RateLimit-Remaining": int64(max(0, b.limit-b.used)), "RateLimit-Reset": reset.Unix(),
	} {
		w.Header().Set(name, strconv.FormatInt(n, 10))
	}
	if b.used <= b.limit {
		return true
	}
	w.Header().Set("Retry-After", strconv.FormatInt(int64(reset.Sub(now)/time.Second)+1, 10))
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write([]byte("Retry later\n")) // the client may have disconnected
	return false
}
