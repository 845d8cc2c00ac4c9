package console_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"gitlab.com/lorehook/lorehook/test/browser"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/sample"
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
				"home", "found", "similar", "similar by date", "issues by date", "nothing found", "an unknown filter", "issues", "no issues", "issue", "merge request", "issue unknown", "sync", "retry",
				"runs filtered", "run failed", "run retried", "run waits", "projects", "project", "project unseen", "bad parameter",
			} {
				v.open(server.URL + pages[name])
				for _, wrong := range inspected[[]string](v, "[...overflowing(), ...faint()]") {
					t.Errorf("%s, %s: %s", look, name, wrong)
				}
				if l.Dark != (l.Width < 500) || l.Dark && !sample.All() {
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

// Titles, labels, messages and parameters are all hostile.
func TestSite_HasHeadingsLandmarksAndTablesAndNoMarkupOfOthers(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v, server := newViewer(t), f.site()
		for name, path := range f.pages() {
			v.open(server.URL + path)
			for _, wrong := range inspected[[]string](v, "[...structure(), ...markup()]") {
				t.Errorf("%s: %s", name, wrong)
			}
		}
	})
}

func TestSite_ShowsHostileTextVerbatim(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v, server := newViewer(t), f.site()
		const visible = `<script>window.pwned=1</script>"'><img src=x onerror="window.pwned=2">`
		for name, path := range map[string]string{
			"a title in a list": "/projects/1/issues?state=all", "a title and a label": "/projects/1/issues/7", "an error's message": "/runs/" + f.other,
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
			if l.Dark && !sample.All() {
				continue // what the keyboard reaches hardly depends on the look
			}
			v.look(l)
			for _, path := range []string{"/", "/search?q=export", "/projects/1/issues", "/runs?status=failed", "/runs/" + f.failed, "/projects/1/issues/7", "/projects/1/issues/7/sync"} {
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
				if n := eval[int](v, `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary")].filter((e) => e.checkVisibility()).length`); n != len(walked) {
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

// From the search to a run, without a mouse and without scripts.
func TestSite_IsUsableWithoutScripts(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e)
		seven := fakegitlab.IssueRef(7)
		f.GitLab.AddDiscussion(seven, fakegitlab.Note{Body: "How do I turn off the carousel?"})
		f.Webhook(seven)
		if err := f.search.Index(t.Context()); err != nil {
			t.Fatal(err)
		}
		v, server := newViewer(t), f.site()
		v.withoutScripts()
		v.look(browser.Look{Width: 1440, Height: 900})
		v.open(server.URL)
		v.do(chromedp.Focus("#lh-q"), chromedp.KeyEvent("carousel"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#lh-found, .lh-hits"))
		v.tabTo("in a comment")
		v.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(".lh-thread"))
		if path := eval[string](v, "location.pathname"); path != "/projects/1/issues/7" {
			t.Fatalf("the passage led to %s", path)
		}
		if eval[bool](v, `document.querySelector(".lh-copy") !== null || !document.querySelector(".lh-keys").hidden`) {
			t.Error("buttons and keys that need scripts are shown without them")
		}
		v.open(server.URL + "/projects/1/issues/7")
		v.tabTo("Sync")
		v.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("form[method=post]"))
		v.tabTo("Start the run")
		v.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#lh-timeline"))
		if path := eval[string](v, "location.pathname"); !strings.HasPrefix(path, "/runs/") || len(f.sent) != 1 {
			t.Errorf("the button led to %s, and %d runs", path, len(f.sent))
		}
	})
}

// What the script adds: keys that move between hits, and buttons that copy.
func TestSite_HasKeysAndCopyButtons(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v, server := newViewer(t), f.site()
		v.look(browser.Look{Width: 1440, Height: 900})
		v.open(server.URL + "/search?q=export")
		at := func() int {
			return eval[int](v, `[...document.querySelectorAll("[data-item]")].indexOf(document.activeElement.closest("[data-item]"))`)
		}
		hits := eval[int](v, `document.querySelectorAll("[data-item]").length`)
		if hits < 2 {
			t.Fatalf("%d hits", hits)
		}
		for i, step := range []struct {
			key  string
			want int
		}{{"j", 0}, {"j", 1}, {"k", 0}, {"k", 0}} {
			if v.do(chromedp.KeyEvent(step.key)); at() != step.want {
				t.Errorf("step %d, %s: at %d, want %d", i, step.key, at(), step.want)
			}
		}
		v.do(chromedp.KeyEvent("/"))
		v.do(chromedp.KeyEvent("jk/"))
		// The protocol that types for the test types the first slash, too.
		if typed := eval[string](v, `document.activeElement.id + " " + document.activeElement.value`); !strings.HasPrefix(typed, "lh-q ") || !strings.HasSuffix(typed, "jk/") {
			t.Errorf("/ and jk/ gave %q", typed)
		}
		v.open(server.URL + "/projects/1/issues/7")
		copied := eval[string](v, `(async () => {
			let text = "";
			Object.defineProperty(navigator, "clipboard", { value: { writeText: async (t) => { text = t; } } });
			document.querySelector(".lh-copy").click();
			await new Promise((done) => requestAnimationFrame(done));
			return text + "|" + document.querySelector(".lh-copy").textContent;
		})()`)
		if copied != "lore show -p 1 --issue 7|Copied" {
			t.Errorf("copied %q", copied)
		}
	})
}

// A link can say more than a person would type into a form.
func TestSite_KeepsWhatALinkSaysWhenItsFormIsSent(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v, server := newViewer(t), f.site()
		v.look(browser.Look{Width: 1440, Height: 900})
		sent := func(page, form string) url.Values {
			t.Helper()
			v.open(server.URL + f.pages()[page])
			answer, err := chromedp.RunResponse(v.ctx, chromedp.Click(form+" [type=submit]"))
			if err != nil {
				t.Fatal(err)
			}
			address, err := url.Parse(answer.URL)
			if err != nil {
				t.Fatal(err)
			}
			return address.Query()
		}
		similar := sent("similar by date", ".lh-search")
		for name, want := range map[string]string{"similar_to": "1#issue#7", "state": "locked", "created_after": "2026-01-01", "updated_before": "2027-01-02T08:00:00Z"} {
			if similar.Get(name) != want {
				t.Errorf("a search: %s is %q, want %q", name, similar.Get(name), want)
			}
		}
		listed := sent("issues by date", "form[action$=issues]")
		for name, want := range map[string]string{"updated_after": "2026-01-01", "created_before": "2027-01-02T08:00:00Z"} {
			if listed.Get(name) != want {
				t.Errorf("a list: %s is %q, want %q", name, listed.Get(name), want)
			}
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
