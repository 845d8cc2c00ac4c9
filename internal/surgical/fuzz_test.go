package surgical_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// A key of the tables names one entity, and each entity has one key.
func FuzzParseEntityRef(f *testing.F) {
	for _, key := range []string{"1#issue#7", "71480000#merge_request#12", "", "1#issue", "1#epic#7", "1#issue#7#8", "01#issue#7", "1#issue#+7", "-1#issue#7", "9223372036854775808#issue#7"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		ref, err := surgical.ParseEntityRef(key)
		if err != nil {
			return
		}
		if ref.ProjectID <= 0 || ref.IID <= 0 || !ref.Type.Valid() {
			t.Fatalf("%q is %+v", key, ref)
		}
		again, err := surgical.ParseEntityRef(ref.Key())
		if err != nil || again != ref {
			t.Fatalf("%q is %v, whose key %q is %v (%v)", key, ref, ref.Key(), again, err)
		}
		if key != ref.Key() {
			t.Fatalf("%q and %q are keys of one entity", key, ref.Key())
		}
	})
}
