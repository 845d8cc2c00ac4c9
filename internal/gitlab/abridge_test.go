package gitlab

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// abridge writes the text in pieces of random length.
func abridge(text string, seed uint64) (string, error) {
	a, r := abridger{}, rand.New(rand.NewPCG(seed, 0))
	for text != "" {
		n := 1 + r.IntN(len(text))
		if _, err := a.Write([]byte(text[:n])); err != nil {
			return "", err
		}
		text = text[n:]
	}
	return string(a.out.join()), nil
}

func TestAbridger_KeepsWhatNamesARecord(t *testing.T) {
	long := strings.Repeat(`\"]},[{\\`, maxAbridgedText)
	for name, c := range map[string][2]string{
		"a record":            {`[ {"iid": 7, "state":"opened", "confidential" : false, "n":null} ]`, `[ {"iid": 7, "state":"opened", "confidential" : false, "n":null} ]`},
		"a long text":         {`[{"description":"` + long + `","iid":7}]`, `[{"description":"","iid":7}]`},
		"a long name":         {`[{"` + long + `":1,"iid":7}]`, `[{"":1,"iid":7}]`},
		"nested values":       {`[{"labels":["a","b"],"author":{"id":1,"x":[{}]},"iid":7},{"iid":8}]`, `[{"labels":null,"author":null,"iid":7},{"iid":8}]`},
		"a text with quotes":  {`[{"title":"a \"b\" \\","iid":7}]`, `[{"title":"a \"b\" \\","iid":7}]`},
		"an empty list":       {"[]\n", `[] `},
		"a lot of space":      {"[\r\n\t{ \n\"iid\"  :\t7}\n\n]", `[ { "iid" : 7} ]`},
		"two numbers":         {`[{"iid":1  2}]`, `[{"iid":1 2}]`},
		"half a word":         {"[{\"iid\":tru\n e}]", `[{"iid":tru e}]`},
		"something else":      {`<html>"`, `<html>"`},
		"what ends too early": {`[{"iid":7,"description":"` + long, `[{"iid":7,"description":"`},
	} {
		for seed := range uint64(20) {
			if got, err := abridge(c[0], seed); got != c[1] || err != nil {
				t.Fatalf("%s: %q, %v, want %q", name, got, err, c[1])
			}
		}
	}
}

func TestAbridger_ChangesNoShortField(t *testing.T) {
	scalar := rapid.OneOf(rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Int32(), func(n int32) any { return float64(n) }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Just[any](nil))
	nested := rapid.Map(rapid.SliceOf(rapid.MapOf(rapid.String(), scalar)), func(list []map[string]any) any { return list })
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOf(rapid.MapOf(rapid.String(), rapid.OneOf(scalar, nested))).Draw(t, "records")
		raw, err := json.Marshal(records)
		if err != nil {
			t.Fatal(err)
		}
		want := []map[string]any{}
		for _, record := range records {
			short := map[string]any{}
			for name, value := range record {
				if short[name] = value; !isScalar(value) {
					short[name] = nil
				}
			}
			want = append(want, short)
		}
		text, err := abridge(string(raw), rapid.Uint64().Draw(t, "seed"))
		var got []map[string]any
		if err != nil || json.Unmarshal([]byte(text), &got) != nil {
			t.Fatalf("%s, %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestAbridger_MakesNothingValid(t *testing.T) {
	const text = `[{"iid":17,"state":"a \" b","confidential":true,"n":null},{"iid":-1.5e3}]`
	if !json.Valid([]byte(text)) {
		t.Fatal("the text itself is not JSON")
	}
	for at := range len(text) + 1 {
		for _, added := range []string{"", " ", "\n", "\t \r", ",", "1", `"`, "]", " 1", "1 "} {
			changed := text[:at] + added + text[at:]
			short, err := abridge(changed, uint64(at))
			if err != nil || json.Valid([]byte(short)) != json.Valid([]byte(changed)) {
				t.Errorf("%s became %s, %v", changed, short, err)
			}
		}
	}
}

func isScalar(value any) bool {
	_, nested := value.([]map[string]any)
	return !nested
}

func TestAbridger_HoldsNoMoreThanAPage(t *testing.T) {
	a := abridger{}
	field := []byte(`"` + strings.Repeat("x", maxAbridgedText/2) + `":1,`)
	_, err := a.Write([]byte("[{"))
	for n := 0; err == nil && n < 2*surgical.MaxListPageBytes; n += len(field) {
		_, err = a.Write(field)
	}
	if surgical.CodeOf(err) != surgical.CodeEntityTooLarge || a.out.size > surgical.MaxListPageBytes+len(field) {
		t.Errorf("%d bytes, %v", a.out.size, err)
	}
}
