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
	"gitlab.com/lorehook/lorehook/test/sample"
)

// requireBrowser is the environment variable that makes a missing Chromium a
// failure.
const requireBrowser = "LOREHOOK_REQUIRE_BROWSER"

// looks returns the themes and sizes that the console is tested in: two, which have each
// theme and each size once; if [sample.All], all four.
func looks() map[string]browser.Look {
	all := map[string]browser.Look{
		"light and wide": {Width: 1440, Height: 900}, "dark and narrow": {Width: 360, Height: 740, Dark: true},
	}
	if sample.All() {
		all["dark and wide"], all["light and narrow"] = browser.Look{Width: 1440, Height: 900, Dark: true}, browser.Look{Width: 360, Height: 740}
	}
	return all
}

// viewer is a browser for a test.
type viewer struct {
	*testing.T
	ctx context.Context
}

// newViewer starts a browser, or skips the test loudly if there is none. A dialog
// opened by a page fails the test.
func newViewer(t *testing.T) viewer {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser is slow: not with -short")
	}
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

// open navigates to the URL.
func (v viewer) open(url string) {
	v.Helper()
	v.do(chromedp.Navigate(url))
}

// withoutScripts disables the page's scripts. Scripts of the test still run.
func (v viewer) withoutScripts() {
	v.Helper()
	if _, err := chromedp.Call(v.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		v.Fatal(err)
	}
}

// eval runs a script of the test and returns its value.
func eval[T any](v viewer, script string) T {
	v.Helper()
	value, err := chromedp.Run(v.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		v.Fatal(err)
	}
	return value
}

// inspect has the checks that tests run on a page.
//
//go:embed testdata/inspect.js
var inspect string

// inspected calls one function of inspect.js.
func inspected[T any](v viewer, call string) T {
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

// violations returns what axe-core finds wrong with the page.
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
