package delivery_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// accepts reports whether the verifier knows the secret token.
func accepts(v *delivery.Verifier, token string) bool {
	return v != nil && v.Verify(http.Header{"X-Gitlab-Token": {token}}, nil, now) == nil
}

func TestParseVerifier_UsesEveryTokenThatIsWellFormedAndNamesTheOthers(t *testing.T) {
	signing := sampleToken("a")
	for name, tt := range map[string]struct {
		text    string
		signs   bool     // a delivery signed with it is accepted
		accepts []string // secret tokens
		refuses []string
		defects []string // parts of what is reported
	}{
		"lists":             {`{"signing_tokens":["` + signing + `"],"secret_tokens":["sample-one","sample-two"]}`, true, []string{"sample-one", "sample-two"}, nil, nil},
		"texts":             {`{"signing_tokens":"` + signing + `","secret_tokens":"sample-one"}`, true, []string{"sample-one"}, nil, nil},
		"line ends":         {"{\"signing_tokens\":\"" + signing + "\\r\\n\",\"secret_tokens\":\"sample-one\\n\"}\r\n", true, []string{"sample-one"}, nil, nil},
		"a comma in a list": {`{"secret_tokens":["sample,one"]}`, false, []string{"sample,one"}, []string{"sample", "one"}, nil},
		"the placeholder":   {`{"signing_tokens":"","secret_tokens":""}`, false, nil, []string{""}, nil},
		"null":              {`{"signing_tokens":null,"secret_tokens":["sample-one"]}`, false, []string{"sample-one"}, []string{"null"}, nil},
		"one is malformed": {`{"signing_tokens":["v1,` + signing + `","` + signing + `"],"secret_tokens":["short","sample-one"]}`, true,
			[]string{"sample-one"}, []string{"short"}, []string{"signing_tokens, number 1", "secret_tokens, number 1"}},
		"one behind a blank is malformed": {`{"signing_tokens":[" ","whsec_"],"secret_tokens":["","short","sample-one"]}`, false,
			[]string{"sample-one"}, []string{"", "short"}, []string{"signing_tokens, number 2", "secret_tokens, number 2"}},
		"one member is malformed": {`{"signing_tokens":"` + signing + `","secret_tokens":"sample-one,sample-two"}`, true,
			nil, []string{"sample-one", "sample-two", "sample-one,sample-two"}, []string{"secret_tokens", `["first","second"]`}},
		"one member is unknown": {`{"sample-secret":"x","secret_tokens":"sample-one"}`, false, []string{"sample-one"}, nil, []string{"neither signing_tokens nor secret_tokens"}},
		"one member twice":      {`{"secret_tokens":"sample-one","secret_tokens":"sample-two"}`, false, []string{"sample-one"}, []string{"sample-two"}, []string{"twice"}},
	} {
		v, err := delivery.ParseVerifier(tt.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := v.Verify(sign(t, signing, now, body), []byte(body), now) == nil; got != tt.signs {
			t.Errorf("%s: a signed delivery is accepted: %t", name, got)
		}
		for _, token := range tt.accepts {
			if !accepts(v, token) {
				t.Errorf("%s: refuses %q", name, token)
			}
		}
		for _, token := range tt.refuses {
			if accepts(v, token) {
				t.Errorf("%s: accepts %q", name, token)
			}
		}
		if defects := v.Defects(); (defects != nil) != (tt.defects != nil) {
			t.Errorf("%s: defects %v", name, defects)
		} else if defects != nil {
			quotesNothing(t, name, defects)
			for _, part := range tt.defects {
				if !strings.Contains(defects.Error(), part) {
					t.Errorf("%s: %v does not say %q", name, defects, part)
				}
			}
		}
	}
}

func quotesNothing(t *testing.T, name string, err error) {
	t.Helper()
	for _, part := range []string{"sample-", "whsec_YWFh", "YWFhYWFh"} {
		if strings.Contains(err.Error(), part) {
			t.Errorf("%s: the error quotes the secret: %v", name, err)
		}
	}
}

func TestParseVerifier_FailsIfNothingOfItCanBeUsed(t *testing.T) {
	signing := sampleToken("a")
	for _, text := range []string{
		"", "sample-secret", "null", "[]", `["sample-one"]`, `"sample-one"`, `{"secret_tokens":"sample-one"`, `{"secret_tokens":"sample-one"}x`,
		`{"signing_token":["` + signing + `"]}`, `{"secret_tokens":{"a":"sample-one"}}`, `{"secret_tokens":12345678}`, `{"secret_tokens":[12345678]}`,
		`{"signing_tokens":"v1,` + signing + `"}`, `{"signing_tokens":["v1,` + signing + `"]}`, `{"signing_tokens":"` + strings.TrimPrefix(signing, "whsec_") + `"}`,
		`{"secret_tokens":"tok,en"}`, `{"secret_tokens":"x"}`, `{"secret_tokens":["\"sample-one\""]}`, `{"secret_tokens":"` + signing + `"}`,
	} {
		v, err := delivery.ParseVerifier(text)
		if err == nil {
			t.Errorf("%s: %v", text, v)
			continue
		}
		quotesNothing(t, text, err)
	}
}

func FuzzParseVerifier(f *testing.F) {
	for _, text := range []string{`{"signing_tokens":["whsec_"],"secret_tokens":"sample-one"}`, `{"a":1,"a":2}`, `{"secret_tokens":["a,b"]}`, "{", "null"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := delivery.ParseVerifier(text)
		if (v == nil) != (err != nil) {
			t.Errorf("%v, %v", v, err)
		}
		for _, guess := range []string{"", "null", "[]", "{}", ",", `""`} {
			if accepts(v, guess) {
				t.Errorf("%q is accepted under %s", guess, text)
			}
		}
	})
}

// No log line that prints a verifier, or something that has one, shows a key.
func TestVerifier_PrintsNoKey(t *testing.T) {
	v, err := delivery.ParseVerifier(`{"signing_tokens":["` + sampleToken("a") + `"]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, printed := range []string{fmt.Sprintf(verb, v), fmt.Sprintf(verb, *v), fmt.Sprintf(verb, struct{ v *delivery.Verifier }{v})} {
			if strings.Contains(printed, "aaaa") || strings.Contains(printed, "616161") || strings.Contains(printed, "97 97 97") {
				t.Errorf("%s prints a key: %s", verb, printed)
			}
		}
	}
}
