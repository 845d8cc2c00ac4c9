package console_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"gitlab.com/lorehook/lorehook/test/browser"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

// requireBrowser names the variable that turns a missing Chromium into a
// failure.
const requireBrowser = "LOREHOOK_REQUIRE_BROWSER"

// looks are the ways in which people look at the console.
func looks() map[string]browser.Look {
	return map[string]browser.Look{
		"light and wide": {Width: 1440, Height: 900}, "dark and wide": {Width: 1440, Height: 900, Dark: true},
		"light and narrow": {Width: 360, Height: 740}, "dark and narrow": {Width: 360, Height: 740, Dark: true},
	}
}

// viewer is a browser with what a test asks of it.
type viewer struct {
	*testing.T
	ctx context.Context
}

// newViewer starts a browser, or skips loudly if this machine has none. Any
// dialog that a page opens fails the test.
func newViewer(t *testing.T) viewer {
	t.Helper()
	path, err := browser.Find()
	if errors.Is(err, browser.ErrNotInstalled) && os.Getenv(requireBrowser) != "1" {
		fmt.Fprintf(os.Stderr, "\n*** SKIPPED: %s: %v\n\n", t.Name(), err)
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	tab, stop, err := browser.Start(ctx, path, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if err := chromedp.Listen(tab, func(ev any) {
		if e, ok := ev.(*page.EventJavascriptDialogOpening); ok {
			t.Errorf("the page opened a dialog: %s", e.Message)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return viewer{t, tab}
}

func (v viewer) look(l browser.Look) {
	v.Helper()
	if err := l.As(v.ctx); err != nil {
		v.Fatal(err)
	}
}

// do runs actions that return nothing.
func (v viewer) do(actions ...chromedp.Action[chromedp.Void]) {
	v.Helper()
	if err := chromedp.Do(v.ctx, actions...); err != nil {
		v.Fatal(err)
	}
}

// open shows the page as one whose scripts do not run: the console has none.
func (v viewer) open(url string) {
	v.Helper()
	v.do(chromedp.Navigate(url))
}

// withoutScripts lets no script of a page run. What a test evaluates still does.
func (v viewer) withoutScripts() {
	v.Helper()
	if _, err := chromedp.Call(v.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		v.Fatal(err)
	}
}

// eval runs a script of the test's own and returns its value.
func eval[T any](v viewer, script string) T {
	v.Helper()
	value, err := chromedp.Run(v.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		v.Fatal(err)
	}
	return value
}

// inspect.js is what tests ask of a page.
//
//go:embed testdata/inspect.js
var inspect string

// asked evaluates one function of inspect.js.
func asked[T any](v viewer, call string) T {
	v.Helper()
	return eval[T](v, "(() => {"+inspect+"\nreturn "+call+"})()")
}

// axe returns the source of axe-core, or "" if it is not installed.
func axe(t *testing.T) string {
	t.Helper()
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, devstack.LocalDir, "axe", "node_modules", "axe-core", "axe.min.js"))
	if errors.Is(err, os.ErrNotExist) && os.Getenv(requireBrowser) != "1" {
		fmt.Fprintf(os.Stderr, "\n*** SKIPPED: the accessibility check of %s: axe-core is not installed: run scripts/setup axe\n\n", t.Name())
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// violations are what axe-core finds wrong with the page.
func (v viewer) violations(source string) string {
	v.Helper()
	if source == "" {
		return ""
	}
	eval[bool](v, source+"\n;true")
	found := eval[[]string](v, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.flatMap(v =>
		v.nodes.map(n => v.id + " (" + v.impact + "): " + n.target.join(" ") + ": " + n.failureSummary)))`)
	return strings.Join(found, "\n")
}
