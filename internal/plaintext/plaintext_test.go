package plaintext_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
)

func TestText_ShowsOrRemovesWhatIsNotText(t *testing.T) {
	for _, c := range []struct{ name, in, text, line string }{
		{"plain", "a  b\n\tc", "a  b\n\tc", "a  b  c"},
		{"letters of all kinds", "Grüße, 語 😀 👩‍💻 שלום", "Grüße, 語 😀 👩‍💻 שלום", "Grüße, 語 😀 👩‍💻 שלום"},
		{"NUL", "ti\x00tle", "ti␀tle", "ti␀tle"},
		{"an escape sequence", "\x1b[31mred\x07\x7f", "␛[31mred␇␡", "␛[31mred␇␡"},
		{"C1, with a terminal's own CSI", "a\u009b31mb\u0090", "a\ufffd31mb\ufffd", "a\ufffd31mb\ufffd"},
		{"bidirectional controls", "a\u202eb\u2066c\u200fd\u061ce", "abcde", "abcde"},
		{"spaces without width", "a\u200bb\u2060c\ufeffd\u180ee", "abcde", "abcde"},
		{"soft hyphens, invisible operators and annotations", "a\u00adb\u2063c\ufff9d\ufffae\ufffb", "abcde", "abcde"},
		{"joiners of other scripts", "می\u200cخواهم क\u094d\u200dष", "می\u200cخواهم क\u094d\u200dष", "می\u200cخواهم क\u094d\u200dष"},
		{"text in tags", "a\U000e0041\U000e0042b", "ab", "ab"},
		{"line endings", "a\r\nb\rc\u2028d\u2029e\u0085f\vg\fh", "a\nb\nc\nd\ne\nf\ng\nh", "a b c d e f g h"},
		{"not UTF-8", "a\xffb", "a\ufffdb", "a\ufffdb"},
		{"nothing", "", "", ""},
	} {
		if got := plaintext.Text(c.in); got != c.text {
			t.Errorf("%s: text %q, want %q", c.name, got, c.text)
		}
		if got := plaintext.Line(c.in); got != c.line {
			t.Errorf("%s: line %q, want %q", c.name, got, c.line)
		}
	}
}

func TestJSON_EscapesTheSameAndKeepsTheValue(t *testing.T) {
	raw := []byte("{\n\t\"a\": \"x\x7f\u009b\u202e\u2028\U000e0041é語😀\ufffd\"}")
	want := "{\n\t\"a\": \"x\\u007f\\u009b\\u202e\\u2028\\udb40\\udc41é語😀\ufffd\"}"
	if got := string(plaintext.JSON(raw)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever the text, nothing of it controls a terminal, and repeating it changes
// nothing.
func TestJSON_ReplacesInvalidUTF8(t *testing.T) {
	for raw, want := range map[string]string{
		"\"a\xef\"\x1b":    "\"a\uFFFD\"\\u001b",
		"\x1b\xef":         "\\u001b\uFFFD",
		"\x1b\xef\xbf":     "\\u001b\uFFFD\uFFFD",
		"\x1b\xef\xbf\xbd": "\\u001b\uFFFD",
	} {
		if got := string(plaintext.JSON([]byte(raw))); got != want {
			t.Errorf("%q became %q, want %q", raw, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"a\x1b[2J", "\u202e", "\xff\r\n", "\U000e0041", "plain", "a\u200bb\u00adc\u2060d\ufeff", "👩\u200d💻 می\u200cخ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, line := plaintext.Text(s), plaintext.Line(s)
		for _, got := range []string{text, line} {
			if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool {
				return unicode.IsControl(r) && r != '\n' && r != '\t' || plaintext.Hides(r) || r == '\u2028' || r == '\u2029'
			}) {
				t.Fatalf("%q from %q", got, s)
			}
		}
		if strings.ContainsAny(line, "\n\t") || plaintext.Text(text) != text || plaintext.Line(line) != line {
			t.Fatalf("%q and %q from %q", text, line, s)
		}
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		safe := plaintext.JSON(raw)
		if json.Unmarshal(raw, &want) != nil || json.Unmarshal(safe, &got) != nil || got != want {
			t.Fatalf("%q became %q", want, got)
		}
		if plaintext.Text(string(safe)) != string(safe) {
			t.Fatalf("%q from %q", safe, raw)
		}
	})
}
