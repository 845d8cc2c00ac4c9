package surgical_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestParseTime_ReadsEveryFormOfGitLab(t *testing.T) {
	const none = "none"
	for in, want := range map[string]string{
		"2026-11-02T06:00:00.123Z":      "2026-11-02T06:00:00.123Z",
		"2026-11-02T14:00:00.123+08:00": "2026-11-02T06:00:00.123Z",
		"2026-11-02T06:00:00Z":          "2026-11-02T06:00:00Z",
		"2026-11-02T06:00:00+0000":      "2026-11-02T06:00:00Z",
		"2026-11-02 06:00:00 UTC":       "2026-11-02T06:00:00Z",
		"2026-11-02 08:00:00 +0200":     "2026-11-02T06:00:00Z",
		"2026-11-02 06:00:00Z":          "2026-11-02T06:00:00Z",
		" 2026-11-02T06:00:00Z\n":       "2026-11-02T06:00:00Z",
		"2099-01-01T00:00:00Z":          "2099-01-01T00:00:00Z",
		"0001-01-01T00:00:00Z":          "1970-01-01T00:00:00Z",
		"0000-01-01T00:00:00+08:00":     "1970-01-01T00:00:00Z",
		"9999-12-31T23:59:59-08:00":     "9999-12-31T23:59:59Z",
		"":                              none,
		"yesterday":                     none,
		"2026-11-02":                    none,
		"2026-02-30T06:00:00Z":          none,
		"1793599208":                    none,
		"+10000-01-01T00:00:00Z":        none,
		"2026-11-02 06:00:00 CEST":      none,
	} {
		got, ok := surgical.ParseTime(in)
		text := none
		if ok {
			text = got.Format(time.RFC3339Nano)
		}
		if text != want {
			t.Errorf("%q is %s, want %s", in, text, want)
		}
	}
}

func TestParseTime_GivesOnlyWhatCanBeStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringMatching(`[0-9]{4}-[01][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z| UTC|[+-][0-2][0-9]:?[0-5][0-9])`).Draw(t, "time")
		got, ok := surgical.ParseTime(in)
		if !ok {
			return
		}
		if _, err := json.Marshal(got); err != nil || got.UnixMicro() < 0 {
			t.Fatalf("%q is %v: %v", in, got, err)
		}
	})
}
