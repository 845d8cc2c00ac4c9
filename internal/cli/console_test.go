package cli_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestConsole_ServesOnLoopbackUntilItIsInterrupted(t *testing.T) {
	var asked []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("User-Agent"))
		_, _ = io.WriteString(w, "{}")
	}))
	defer api.Close()
	p := newProgram(t)
	p.terminal = true
	ctx, interrupt := context.WithCancel(t.Context())
	status, page := 0, ""
	p.visit = visiting(t, interrupt, &status, &page)
	got := p.runContext(ctx, "console", "--port", "0", "--api-url", api.URL)
	if got.exit != 0 || status != http.StatusOK || !strings.Contains(page, "Search the copy") || !strings.Contains(page, "Shows "+api.URL) {
		t.Errorf("exit %d, %s, status %d:\n%s", got.exit, got.errors, status, page)
	}
	first, _, _ := strings.Cut(got.out, "\n")
	if len(p.browsed) != 1 || first != p.browsed[0] || !strings.HasPrefix(first, "http://127.0.0.1:") {
		t.Errorf("%v was opened, printed %q", p.browsed, got.out)
	}
	if len(asked) == 0 || asked[0] != "lore/v0.0.0-test" {
		t.Errorf("the API saw %v", asked)
	}
}

// visiting gets the page once it is served, and then interrupts the program.
func visiting(t *testing.T, interrupt func(), status *int, page *string) func(string) {
	return func(address string) {
		go func() {
			defer interrupt()
			resp, err := http.Get(address)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			*status, *page = resp.StatusCode, string(body)
		}()
	}
}

func TestConsole_RejectsWhatItCannotServe(t *testing.T) {
	p := newProgram(t)
	p.env["LOREHOOK_API_URL"] = "http://127.0.0.1:1"
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, args := range [][]string{{"--port", "-1"}, {"--port", "65536"}, {"--port", strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)}, {"--api-url", "http://gitlab.example.com"}} {
		if got := p.run(append([]string{"console"}, args...)...); got.exit != 2 || got.out != "" {
			t.Errorf("%v: exit %d, %s%s", args, got.exit, got.out, got.errors)
		}
	}
	if e, _ := p.robot("console"); e.code() != surgical.CodeInvalidRequest {
		t.Errorf("with --robot: %s", e.code())
	}
}
