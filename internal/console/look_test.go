package console_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/browser"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// In light and dark themes, narrow and wide: no text is faint, nothing is cut off
// or makes the page scroll sideways, and axe-core finds nothing.
func TestSite_LooksRightInEveryThemeAndWidth(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v, server, source := newViewer(t), f.site(), axe(t)
		for look, l := range looks() {
			v.look(l)
			pages := f.pages()
			for _, name := range []string{
				"overview", "overview of a project", "overview without runs", "runs filtered", "run failed", "run retried", "run waits", "issue", "issue unknown", "projects", "project", "project unseen", "project unknown", "bad parameter",
			} {
				v.open(server.URL + pages[name])
				for _, wrong := range inspected[[]string](v, "[...overflowing(), ...faint()]") {
					t.Errorf("%s, %s: %s", look, name, wrong)
				}
				if l.Dark != (l.Width < 500) {
					continue // axe-core is slow, and apart from colours its result does not depend on the look
				}
				if wrong := v.violations(source); wrong != "" {
					t.Errorf("%s, %s: axe-core finds:\n%s", look, name, wrong)
				}
			}
			dark := eval[string](v, "getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 24)"
			if dark != l.Dark {
				t.Errorf("%s: the page is dark: %v", look, dark)
			}
		}
	})
}

func TestSite_HasHeadingsLandmarksAndTables(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v, server := newViewer(t), f.site()
		for name, path := range f.pages() {
			v.open(server.URL + path)
			for _, wrong := range inspected[[]string](v, "structure()") {
				t.Errorf("%s: %s", name, wrong)
			}
		}
	})
}

// Titles, labels, messages and parameters are all hostile.
func TestSite_RendersHostileTextHarmless(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v, server := newViewer(t), f.site()
		const visible = `<script>window.pwned=1</script>"'><img src=x onerror="window.pwned=2">`
		for name, path := range f.pages() {
			v.open(server.URL + path)
			for _, wrong := range inspected[[]string](v, "markup()") {
				t.Errorf("%s: %s", name, wrong)
			}
		}
		for name, path := range map[string]string{
			"a title in a list": "/", "a title and a label": "/projects/1/issues/7", "an error's message": "/runs/" + f.other,
			"the message of a run that waits": "/runs/" + f.waiting,
		} {
			v.open(server.URL + path)
			text := eval[string](v, "document.body.innerText")
			if !strings.Contains(text, visible) || strings.ContainsRune(text, '\u202e') {
				t.Errorf("%s: the text is not shown verbatim in:\n%s", name, text)
			}
		}
	})
}

// An operator may have no mouse and no scripts.
func TestSite_IsUsableByKeyboard(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v, server := newViewer(t), f.site()
		for look, l := range looks() {
			v.look(l)
			for _, path := range []string{"/", "/runs?status=failed&limit=1", "/runs/" + f.failed, "/projects/1/issues/7"} {
				v.open(server.URL + path)
				walked := v.walk()
				if len(walked) < 5 || !strings.Contains(walked[0], "|Skip to the content|") {
					t.Errorf("%s, %s: the walk does not begin with the skip link: %v", look, path, walked)
				}
				for i, stop := range walked {
					if !strings.HasSuffix(stop, "|ring|in sight") {
						t.Errorf("%s, %s: the focus cannot be seen: %s", look, path, stop)
					}
					if i > 0 && number(stop) <= number(walked[i-1]) {
						t.Errorf("%s, %s: from %s back to %s", look, path, walked[i-1], stop)
					}
				}
				if n := eval[int](v, `document.querySelectorAll("a[href], button, input, select").length`); n != len(walked) {
					t.Errorf("%s, %s: the keyboard reaches %d of %d", look, path, len(walked), n)
				}
			}
		}
	})
}

// walk presses Tab until the focus leaves the page, and returns what had the
// focus. After the last element, the focus goes to nothing or back to the first.
func (v viewer) walk() []string {
	v.Helper()
	var stops []string
	for {
		v.do(chromedp.KeyEvent(kb.Tab))
		stop := inspected[string](v, "focus()")
		if stop == "" || len(stops) > 0 && stop == stops[0] {
			return stops
		}
		if stops = append(stops, stop); len(stops) > 300 {
			v.Fatalf("the keyboard never leaves the page: %v", stops[290:])
		}
	}
}

func number(stop string) int {
	n := 0
	for _, r := range stop[:strings.IndexByte(stop, '|')] {
		n = 10*n + int(r-'0')
	}
	return n
}

func TestSite_DrillsDownByKeyboard(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		failed := f.ended(surgical.CodeIngestFailed, "broken", fakegitlab.IssueRef(8)).RunID
		v, server := newViewer(t), f.site()
		v.withoutScripts()
		v.look(browser.Look{Width: 1440, Height: 900})
		v.open(server.URL)
		// From the overview to the failed run, through its link among the failures.
		v.tabTo(failed[:10])
		v.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#lh-timeline"))
		if path := eval[string](v, "location.pathname"); path != "/runs/"+failed {
			t.Fatalf("Enter led to %s", path)
		}
		commands := eval[[]string](v, `[...document.querySelectorAll(".lh-cmd")].map(e => e.textContent)`)
		if diff := cmp.Diff([]string{"lore sync-runs --run-id " + failed + " --retry-failed --wait"}, commands); diff != "" {
			t.Errorf("commands (-want +got):\n%s", diff)
		}
		// From there to the entity, and to its project's runs through the form.
		v.tabTo("Issue 8")
		v.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#lh-list"))
		if path := eval[string](v, "location.pathname"); path != "/projects/1/issues/8" {
			t.Fatalf("Enter led to %s", path)
		}
		v.open(server.URL + "/runs")
		v.do(chromedp.Focus("#lh-project"), chromedp.KeyEvent("1"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(".lh-field-link"))
		if query := eval[string](v, "location.search"); query != "?status=&project_id=1&period=any" {
			t.Errorf("the form led to %s", query)
		}
	})
}

// tabTo presses Tab until the link with the text has the focus.
func (v viewer) tabTo(text string) {
	v.Helper()
	for range 100 {
		v.do(chromedp.KeyEvent(kb.Tab))
		if strings.Contains(inspected[string](v, "focus()"), "|"+text+"|") {
			return
		}
	}
	v.Fatalf("no Tab leads to %q", text)
}
