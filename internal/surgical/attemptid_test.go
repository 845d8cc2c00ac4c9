package surgical_test

import (
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestParseAttemptID_IsTheInverseOfString(t *testing.T) {
	for text, want := range map[string]surgical.AttemptID{
		"wrcm2a.1":                    {RunID: "wrcm2a", Number: 1},
		"wrcm2a.12":                   {RunID: "wrcm2a", Number: 12},
		"wrcm2a.0":                    {RunID: "wrcm2a", Number: 0},
		"wrcm2a.9223372036854775807":  {RunID: "wrcm2a", Number: 1<<63 - 1},
		"b7abcdefghijklmnopqrstu2.30": {RunID: "b7abcdefghijklmnopqrstu2", Number: 30},
	} {
		got, err := surgical.ParseAttemptID(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
		if got := want.String(); got != text {
			t.Errorf("%+v is written as %q, want %q", want, got, text)
		}
	}
}

func TestParseAttemptID_RefusesWhatStringNeverWrites(t *testing.T) {
	for _, text := range []string{
		"", ".", "wrcm", "wrcm.", ".1", "wrcm.x", "wrcm.1.2", "wrcm.01", "wrcm.+1", "wrcm.-1", "wrcm.1 ", "wrcm.d1.2.0",
		"wrcm.9223372036854775808",
	} {
		if got, err := surgical.ParseAttemptID(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}
