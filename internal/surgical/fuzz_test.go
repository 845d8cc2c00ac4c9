package surgical_test

import (
	"strings"
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

// A path is part of a key, and its slashes are the only ones.
func FuzzParseProjectPath(f *testing.F) {
	for _, path := range []string{"group/project", "group/sub.group/pro-ject_1", "", "group", "/group/project", "group//project", "group/../project", "group/project#7", "a/" + strings.Repeat("b", 1000)} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := surgical.ParseProjectPath(path)
		if err != nil {
			return
		}
		if got != path || len(got) > surgical.MaxProjectPath || strings.Count(got, "/") == 0 || strings.ContainsAny(got, "#! \x00\n") {
			t.Fatalf("%q is accepted as %q", path, got)
		}
		for segment := range strings.SplitSeq(got, "/") {
			if segment == "" || segment == "." || segment == ".." {
				t.Fatalf("%q has the segment %q", got, segment)
			}
		}
		key := surgical.ProjectPathKey(got)
		if key != surgical.ProjectPathKey(key) {
			t.Fatalf("the key of %q is %q, whose key differs", got, key)
		}
	})
}
