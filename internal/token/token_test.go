package token_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/token"
)

func TestParseList_TakesAListOrOneToken(t *testing.T) {
	for text, want := range map[string]token.List{
		"": nil, "  ": nil, "[]": nil, `[""," "]`: nil, " one \r\n": {"one"}, `["one"," two\n","a,b"]`: {"one", "two", "a,b"}, "a b": {"a b"},
		`[""," one ","","two"," "]`: {"", "one", "", "two"},
	} {
		got, err := token.ParseList(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: error %v (-want +got):\n%s", text, err, diff)
		}
		if first := got.First(); first != strings.TrimSpace(first) || (first == "") != (len(want) == 0) {
			t.Errorf("%q: the first token is %q", text, first)
		}
	}
	for _, text := range []string{"sample,two", "sample,", "[sample", "[1]", `["sample"`, `["sample"]x`, "[sample]"} {
		if got, err := token.ParseList(text); err == nil || strings.Contains(err.Error(), "sample") || !strings.Contains(err.Error(), `["first","second"]`) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestTokens_AreRejectedIfNobodyCanHaveMeantThem(t *testing.T) {
	key := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", n))) }
	checks := map[string]func(string) error{
		"signing": func(s string) error { _, err := token.Signing(s); return err },
		"secret":  func(s string) error { _, err := token.Secret(s); return err },
		"access":  func(s string) error { _, err := token.Access(s); return err },
		"key":     func(s string) error { _, err := token.Key(s); return err },
	}
	for kind, texts := range map[string][]string{
		"signing": {"whsec_" + key(24), "whsec_" + key(32), "whsec_" + key(64) + "\n"},
		"secret":  {"sample-token", "sample, token", " sample-token\r\n"},
		"access":  {"glpat-fake-sample", "glpat-fake_sample.01.0a\n"},
		"key":     {"x", "sk-fake"},
	} {
		for _, text := range texts {
			if err := checks[kind](text); err != nil {
				t.Errorf("%s %q: %v", kind, text, err)
			}
		}
	}
	for kind, texts := range map[string][]string{
		"signing": {"", "whsec_", "whsec_" + key(23), "whsec_" + key(65), "whsec_!!!", key(32), "v1,whsec_" + key(32), `"whsec_` + key(32) + `"`, "whsec_" + strings.TrimRight(key(32), "=")},
		"secret":  {"", "x", "1234567", "unset", `"sample-token"`, "'sample-token'", "[sample-token]", "{sample-token}", "<sample-token>", "(sample-token)", "whsec_" + key(32), "sample\x00token", "gr\u00fc\u00dfe-token"},
		"access":  {"", "glpat", "unset", `"glpat-fake-sample"`, `{"token":"glpat-fake-sample"}`, "Bearer glpat-fake-sample", "glpat-fake-a,glpat-fake-b", "whsec_" + key(32), "glpat-fake\nglpat-fake"},
		"key":     {"", "unset", `"sk-fake"`, "whsec_" + key(32)},
	} {
		for _, text := range texts {
			err := checks[kind](text)
			switch {
			case err == nil:
				t.Errorf("%s %q was accepted", kind, text)
			case strings.Contains(err.Error(), "fake") || strings.Contains(err.Error(), "sample") || strings.Contains(err.Error(), "YWFh"):
				t.Errorf("%s %q: the error quotes it: %v", kind, text, err)
			}
		}
	}
}

func FuzzParseList(f *testing.F) {
	for _, text := range []string{"", "a", "a,b", `["a","b,c"]`, "[", " a\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := token.ParseList(text)
		if err == nil && !strings.HasPrefix(strings.TrimSpace(text), "[") && (len(list) > 1 || len(list) == 1 && list[0] != strings.TrimSpace(text)) {
			t.Errorf("a plain text became %d tokens", len(list))
		}
		for i, tok := range list {
			if strings.TrimSpace(tok) != tok || tok == "" && i == len(list)-1 {
				t.Errorf("token %q at the place %d of %d", tok, i+1, len(list))
			}
		}
	})
}
