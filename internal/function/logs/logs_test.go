package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestNew_AddsTheTraceAndTheRunOfTheContext(t *testing.T) {
	ctx := trace.With(t.Context(), parent, "run-1")
	for name, c := range map[string]struct {
		ctx  context.Context
		log  func(context.Context, *slog.Logger)
		want map[string]any
	}{
		"both": {ctx, func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "m", "iid", 7) },
			map[string]any{"level": "INFO", "msg": "m", "iid": 7.0, "traceparent": parent, "run_id": "run-1"}},
		"a run of its own": {ctx, func(ctx context.Context, l *slog.Logger) { l.WarnContext(ctx, "m", "run_id", "run-2") },
			map[string]any{"level": "WARN", "msg": "m", "traceparent": parent, "run_id": "run-2"}},
		"neither": {t.Context(), func(ctx context.Context, l *slog.Logger) { l.ErrorContext(ctx, "m") },
			map[string]any{"level": "ERROR", "msg": "m"}},
		"with fields of the logger": {ctx, func(ctx context.Context, l *slog.Logger) { l.With("origin", "webhook").InfoContext(ctx, "m") },
			map[string]any{"level": "INFO", "msg": "m", "origin": "webhook", "traceparent": parent, "run_id": "run-1"}},
		"below the level": {ctx, func(ctx context.Context, l *slog.Logger) { l.DebugContext(ctx, "m") }, nil},
	} {
		var out bytes.Buffer
		c.log(c.ctx, logs.New(&out, slog.LevelInfo))
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil && c.want != nil {
			t.Fatalf("%s: %q is not JSON: %v", name, out.String(), err)
		}
		delete(got, "time")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if n := strings.Count(out.String(), `"run_id"`); n > 1 {
			t.Errorf("%s: the line names %d runs: %s", name, n, out.String())
		}
	}
}

// Every logging call in the source uses a field name from the list, whether or
// not a test reaches it.
func TestFields_CoverEveryLoggingCall(t *testing.T) {
	fields := logs.Fields()
	calls := 0
	for _, root := range []string{"../../../internal", "../../../functions"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, name := range loggedNames(t, path) {
				calls++
				if fields[name.text] == "" {
					t.Errorf("%s: %q is not in logs.Fields", name.at, name.text)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if calls < 60 {
		t.Errorf("only %d names were found: the search is broken", calls)
	}
}

type literal struct {
	text string
	at   token.Position
}

// loggedNames finds the field names in calls of slog's attribute constructors, of
// a logger's methods, and of methods named log that take a message and then
// names and values.
func loggedNames(t *testing.T, path string) (names []literal) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	add := func(e ast.Expr) {
		if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING {
			value, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, literal{value, files.Position(text.Pos())})
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, _ := method.X.(*ast.Ident)
		if pkg != nil && pkg.Name == "http" {
			return true // http.Error logs nothing
		}
		if pkg != nil && pkg.Name == "slog" {
			switch method.Sel.Name {
			case "String", "Int", "Int64", "Uint64", "Float64", "Bool", "Time", "Duration", "Any", "Group":
				add(call.Args[0])
			}
			return true
		}
		first := -1 // index of the first name among the arguments
		switch method.Sel.Name {
		case "DebugContext", "InfoContext", "WarnContext", "ErrorContext":
			first = 2
		case "Debug", "Info", "Warn", "Error":
			if len(call.Args) > 1 {
				first = 1
			}
		case "log":
			first = 3 // after the context, the run and the message
		}
		for i := first; first > 0 && i < len(call.Args); i += 2 {
			add(call.Args[i])
		}
		return true
	})
	return names
}
