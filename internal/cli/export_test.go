package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exportable is a stack with copies of both types.
func exportable(s *stack) {
	s.run("sync", "-p", "1", "--issue", "7,8,9", "--mr", "12", "--wait")
}

// refsOf are the references of the lines.
func refsOf(t *testing.T, ndjson string) (refs []string) {
	t.Helper()
	for line := range strings.Lines(ndjson) {
		var e struct{ Ref string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%v in the line %q", err, line)
		}
		refs = append(refs, e.Ref)
	}
	return refs
}

func TestExport_WritesEveryCopyAsOneLine(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		exportable(s)
		got := s.run("export", "-p", "1")
		if got.exit != 0 || !strings.Contains(got.errors, "4 entities exported") {
			t.Errorf("exit %d: %s", got.exit, got.errors)
		}
		want := []string{"1#7", "1#8", "1#9", "1!12"}
		if diff := cmp.Diff(want, refsOf(t, got.out)); diff != "" {
			t.Errorf("references (-want +got):\n%s", diff)
		}
		if all := s.run("export", "--all"); all.out != got.out {
			t.Errorf("with --all:\n%s", all.out)
		}
		withText := s.run("export", "-p", "1", "--documents").out
		var line struct {
			Entity      map[string]any
			Discussions []any
			Documents   []struct{ Text string }
		}
		if err := json.Unmarshal([]byte(strings.SplitAfter(withText, "\n")[0]), &line); err != nil || line.Entity["iid"] != 7.0 ||
			len(line.Documents) != 1+len(line.Discussions) || line.Documents[0].Text == "" {
			t.Errorf("%v: %+v", err, line)
		}
		if strings.Contains(got.out, `"documents"`) {
			t.Error("documents although they were not asked for")
		}
		if empty := s.run("export", "-p", "2"); empty.exit != 0 || empty.out != "" || !strings.Contains(empty.errors, "0 entities exported") {
			t.Errorf("a project without copies: %+v", empty)
		}
	})
}

func TestExport_GoesOnWhereverItStopped(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		exportable(s)
		whole := s.run("export", "--all").out
		file := filepath.Join(t.TempDir(), "export.ndjson")
		first := strings.Index(whole, "\n") + 1
		for _, cut := range []int{0, 1, first - 1, first, first + 1, len(whole) - 1, len(whole)} {
			if err := os.WriteFile(file, []byte(whole[:cut]), 0o600); err != nil {
				t.Fatal(err)
			}
			e, got := s.robot("export", "--all", "--resume", file)
			now, err := os.ReadFile(file)
			if err != nil || got.exit != 0 || !bytes.Equal(now, []byte(whole)) {
				t.Errorf("cut at %d: exit %d, %v, %d bytes instead of %d: %s", cut, got.exit, err, len(now), len(whole), got.out)
			}
			var counted struct{ Entities, Written, Bytes int }
			if err := json.Unmarshal(e.Data, &counted); err != nil || counted.Entities != 4 || counted.Bytes != len(whole) ||
				counted.Written != 4-strings.Count(whole[:cut], "\n") {
				t.Errorf("cut at %d: %s", cut, e.Data)
			}
		}
	})
}

func TestExport_SurvivesFailuresAndSaysHowToContinue(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		exportable(s)
		whole := s.run("export", "--all").out
		var calls, down atomic.Int64
		s.http = roundTripper(func(r *http.Request) (*http.Response, error) {
			if n := calls.Add(1); n > down.Load() && strings.Contains(r.URL.Path, "/projects/") {
				return nil, errors.New("no route to host")
			}
			return loopbackOnly{}.RoundTrip(r)
		})
		down.Store(4)
		file := filepath.Join(t.TempDir(), "export.ndjson")
		e, got := s.robot("export", "--all", "--output", file)
		if got.exit != 50 || e.Error == nil || !strings.Contains(e.Error.Message, "--resume "+file) {
			t.Fatalf("exit %d: %s", got.exit, got.out)
		}
		if again := s.run("export", "--all", "--output", file); again.exit != 2 || !strings.Contains(again.errors, "exists") {
			t.Errorf("overwritten: %+v", again)
		}
		calls.Store(0)
		down.Store(1 << 40)
		if got := s.run("export", "--all", "--resume", file); got.exit != 0 {
			t.Errorf("resumed: %+v", got)
		}
		now, err := os.ReadFile(file)
		if err != nil || string(now) != whole {
			t.Errorf("%v, %d bytes instead of %d", err, len(now), len(whole))
		}
		failures := 0
		s.http = roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/issues/8") && failures < 3 {
				failures++
				return nil, errors.New("connection reset")
			}
			return loopbackOnly{}.RoundTrip(r)
		})
		if got := s.run("export", "--all"); got.exit != 0 || got.out != whole || failures != 3 {
			t.Errorf("after %d transient failures: exit %d, %s", failures, got.exit, got.errors)
		}
	})
}

func TestExport_RefusesAFileThatIsNotItsOwn(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		exportable(s)
		file := filepath.Join(t.TempDir(), "export.ndjson")
		for _, held := range []string{"{}\n", "text\n", "text", `{"a":1}`, "[", `{"project_id":1,"type":"epic","iid":7}` + "\n", `{"project_id":2,"type":"issue","iid":7}` + "\n"} {
			if err := os.WriteFile(file, []byte(held), 0o600); err != nil {
				t.Fatal(err)
			}
			got := s.run("export", "-p", "1", "--resume", file)
			now, err := os.ReadFile(file)
			if got.exit != 2 || err != nil || string(now) != held {
				t.Errorf("%q: exit %d, %s, %v; now %q", held, got.exit, got.errors, err, now)
			}
		}
		if got := s.run("export", "-p", "1", "--resume", file+".missing"); got.exit != 2 {
			t.Errorf("a file that does not exist: %+v", got)
		}
	})
}

func TestExport_ShowsItsProgressOnATerminal(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		exportable(s)
		s.terminal = true
		got := s.run("export", "-p", "1")
		if !strings.Contains(got.errors, "\r\x1b[K") || !strings.Contains(got.errors, "4 entities exported") || strings.Contains(got.out, "\x1b") {
			t.Errorf("stdout %q, stderr %q", got.out, got.errors)
		}
	})
}
