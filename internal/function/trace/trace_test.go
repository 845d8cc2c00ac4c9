package trace_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/function/trace"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestParse_AcceptsOnlyValidTraceparents(t *testing.T) {
	for name, c := range map[string]struct{ value, want string }{
		"version 00":                 {parent, parent},
		"not sampled":                {parent[:53] + "00", parent[:53] + "00"},
		"a later version":            {"01" + parent[2:], parent},
		"a later version with more":  {"cc" + parent[2:] + "-what-comes", parent},
		"a later version run on":     {"cc" + parent[2:] + ".what", ""},
		"version ff":                 {"ff" + parent[2:], ""},
		"version 00 and more":        {parent + "-more", ""},
		"nothing":                    {"", ""},
		"too short":                  {parent[:54], ""},
		"capitals":                   {strings.ToUpper(parent), ""},
		"not hexadecimal":            {strings.Replace(parent, "4bf9", "4bg9", 1), ""},
		"a zero trace id":            {"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", ""},
		"a zero parent id":           {"00-4bf92f3577b34da6a3ce929d0e0e4736-" + strings.Repeat("0", 16) + "-01", ""},
		"hyphens at the wrong place": {"00-4bf92f3577b34da6-3ce929d0e0e4736-a00f067aa0ba902b7-01"[:55], ""},
		"a line break":               {parent[:54] + "\n", ""},
	} {
		if got := trace.Parse(c.value); got != c.want {
			t.Errorf("%s: Parse(%q) = %q, want %q", name, c.value, got, c.want)
		}
	}
}

// lambdaKey is the context key of the X-Ray header in aws-lambda-go, a plain string.
var lambdaKey any = "x-amzn-trace-id"

func TestSource_UsesTheInvocationsTraceOrARandomOne(t *testing.T) {
	random := strings.Repeat("\xab", 24)
	for name, c := range map[string]struct{ header, want string }{
		"sampled":     {"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"},
		"not sampled": {"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a:0", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00"},
		"no parent":   {"Root=1-5759e988-bd862e3fe1be46a994272793", "00-5759e988bd862e3fe1be46a994272793-abababababababab-00"},
		"no root":     {"Parent=53995c3f42cd8ad8", "00-" + strings.Repeat("ab", 16) + "-53995c3f42cd8ad8-00"},
		"nonsense":    {"Root=1-x;Parent=y;Sampled=1", "00-" + strings.Repeat("ab", 16) + "-abababababababab-01"},
		"none":        {"", "00-" + strings.Repeat("ab", 16) + "-abababababababab-00"},
	} {
		ctx := context.WithValue(t.Context(), lambdaKey, c.header)
		if got := trace.Source(strings.NewReader(random))(ctx); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	source := trace.Source(rand.Reader)
	a, b := source(t.Context()), source(t.Context())
	if a == b || trace.Parse(a) != a {
		t.Errorf("two new ones are %q and %q", a, b)
	}
}

func TestWith_KeepsPreviousValuesUntilReplaced(t *testing.T) {
	ctx := trace.With(t.Context(), "", "run-1")
	ctx = trace.With(ctx, parent, "")
	ctx = trace.With(ctx, "not a traceparent", "")
	if p, run := trace.From(ctx); p != parent || run != "run-1" {
		t.Errorf("From = %q, %q", p, run)
	}
	if p, run := trace.From(trace.With(ctx, "", "run-2")); p != parent || run != "run-2" {
		t.Errorf("From = %q, %q", p, run)
	}
	if p, run := trace.From(t.Context()); p != "" || run != "" {
		t.Errorf("From an empty context = %q, %q", p, run)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(parent)
	f.Add("cc" + parent[2:] + "-x")
	f.Fuzz(func(t *testing.T, value string) {
		got := trace.Parse(value)
		if got != "" && (trace.Parse(got) != got || len(got) != 55 || bytes.ContainsAny([]byte(got), "\"\\\n ")) {
			t.Errorf("Parse(%q) = %q", value, got)
		}
	})
}
