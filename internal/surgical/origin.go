package surgical

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// Origin is who requested a run. Its first letter begins the run's id.
type Origin string

// The origins.
const (
	OriginWebhook   Origin = "webhook"
	OriginManual    Origin = "manual"
	OriginRetry     Origin = "retry"
	OriginReconcile Origin = "reconcile"
	OriginBackfill  Origin = "backfill"
	OriginCensus    Origin = "census"
	OriginDrain     Origin = "drain"
	// OriginFollowUp: an earlier fetch contradicted what is known; see [FollowUp].
	OriginFollowUp Origin = "follow_up"
	// OriginHide: an earlier run did not find an entity that is stored.
	OriginHide Origin = "hide"
)

// Origins returns every origin.
func Origins() []Origin {
	return []Origin{OriginWebhook, OriginManual, OriginRetry, OriginReconcile, OriginBackfill, OriginCensus, OriginDrain, OriginFollowUp, OriginHide}
}

// Bulk reports whether the messages of the origin's runs go to the queue of what can
// wait for webhooks and people.
func (o Origin) Bulk() bool {
	switch o {
	case OriginReconcile, OriginBackfill, OriginCensus, OriginDrain:
		return true
	}
	return false
}

// Yields reports whether the runs of the origin leave GitLab's budget to others once it
// runs low.
func (o Origin) Yields() bool {
	return o == OriginBackfill || o == OriginReconcile || o == OriginCensus
}

// RunID derives the id of a run from an idempotency key, namespaced by
// origin: the same key from the same origin is the same run. The first letter
// tells a reader of logs where a run came from.
func RunID(origin Origin, key string) string {
	sum := sha256.Sum256([]byte(string(origin) + "\x00" + key))
	return string(origin[0]) + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// OriginOf returns the origin that the id of a run shows, of those with a letter of
// their own; "" for any other.
func OriginOf(runID string) Origin {
	var found Origin
	for _, origin := range Origins() {
		if !strings.HasPrefix(runID, string(origin[:1])) {
			continue
		}
		if found != "" {
			return "" // retry and reconcile
		}
		found = origin
	}
	return found
}
