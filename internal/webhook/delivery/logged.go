package delivery

import (
	"cmp"
	"net/http"
)

// LoggedName returns the key of a delivery in the log that GitLab keeps of it, and the
// name that its run is derived from. For a signed delivery they are the ones that the
// delivery itself has; signed says that its hook signs, in case the log shows no
// signature. The name of any other delivery includes its body as it was sent, which
// GitLab changes for the log, so it has a name of its own. other names a delivery
// without a key.
func LoggedName(h http.Header, signed bool, other string) (key, name string) {
	key = cmp.Or(Header(h, IDHeader), Header(h, "Idempotency-Key"))
	switch {
	case key == "":
		return other, other
	case signed || Signed(h):
		return key, key
	default:
		return key, key + "\x00logged"
	}
}
