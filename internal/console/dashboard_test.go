package console_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"gitlab.com/lorehook/lorehook/test/browser"
	"gitlab.com/lorehook/lorehook/test/engines"
)

//go:embed testdata/dashboard.html
var dashboardPage string

// inDashboard opens a dashboard with the widget.
func (f *fixture) inDashboard(v viewer) {
	f.t.Helper()
	w := f.widget()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, dashboardPage)
	})
	mux.HandleFunc("POST /invoke", func(rw http.ResponseWriter, r *http.Request) {
		event, err := io.ReadAll(r.Body)
		body := ""
		if err == nil {
			body, err = w.Handle(lambdacontext.NewContext(r.Context(), &lambdacontext.LambdaContext{InvokedFunctionArn: widgetARN}), event)
		}
		if err == nil {
			err = json.NewEncoder(rw).Encode(body)
		}
		if err != nil {
			f.t.Errorf("%s: %v", event, err)
		}
	})
	server := httptest.NewServer(mux)
	f.t.Cleanup(server.Close)
	v.open(server.URL)
	eval[bool](v, fmt.Sprintf("window.endpoint = %q; true", widgetARN))
}

// show invokes the widget with the parameters, after changes to the dashboard.
func (v viewer) show(change, params map[string]any) {
	v.Helper()
	raw, err := json.Marshal([]any{change, params})
	if err != nil {
		v.Fatal(err)
	}
	eval[bool](v, fmt.Sprintf("window.show(...%s).then(() => true)", raw))
}

func TestWidget_LooksRightInEveryThemeAndWidth(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v := newViewer(t)
		v.look(browser.Look{Width: 1440, Height: 900})
		f.inDashboard(v)
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int{330, 1200} {
				for name, params := range f.views() {
					v.show(dashboard(func(c map[string]any) { c["theme"], c["width"] = theme, width }), params)
					for _, wrong := range inspected[[]string](v, "[...overflowing(), ...faint()]") {
						t.Errorf("%s, %s, %d pixels: %s", name, theme, width, wrong)
					}
					if wide := eval[int](v, "document.querySelector('#widget').scrollWidth"); wide > width {
						t.Errorf("%s, %s: %d pixels in %d", name, theme, wide, width)
					}
				}
			}
		}
	})
}

func TestWidget_RendersHostileTextHarmless(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v := newViewer(t)
		v.look(browser.Look{Width: 1440, Height: 900})
		f.inDashboard(v)
		for name, params := range f.views() {
			v.show(dashboard(), params)
			for _, wrong := range inspected[[]string](v, "markup()") {
				// The dashboard itself has a script and sets the widget's width.
				if wrong != "an element script" && wrong != "main#widget has a style" {
					t.Errorf("%s: %s", name, wrong)
				}
			}
		}
		v.show(dashboard(), map[string]any{"view": "run", "run_id": f.other})
		if text := eval[string](v, "document.body.innerText"); !strings.Contains(text, `<script>window.pwned=1</script>"'><img src=x`) {
			t.Errorf("the message is not shown verbatim in:\n%s", text)
		}
	})
}

// From the overview to a failed run and its command, to the entity, and to a
// filtered list: each link invokes the function again.
func TestWidget_DrillsDown(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v := newViewer(t)
		v.look(browser.Look{Width: 1440, Height: 1200})
		f.inDashboard(v)
		v.show(dashboard(), map[string]any{"limit": 10})
		v.click(f.failed[:10], "#lh-timeline", "Failed in preflight after")
		if text := eval[string](v, "document.body.innerText"); !strings.Contains(text, "lore runs retry "+f.failed+" --wait") {
			t.Errorf("no command in:\n%s", text)
		}
		v.click("Issue 4711", "#lh-list", "Issue 4711")
		v.click("Runs", "#lh-filter", "All runs")
		v.do(chromedp.SetValue("#lh-status", "failed"), chromedp.SetValue("#lh-project", "1"))
		v.click("Filter", ".lh-field-link", "Failed runs of project 1")
		v.click("Overview", "#lh-recent", "Open runs")
	})
}

// Tab reaches every control, with a visible focus, and Enter works like a click.
func TestWidget_DrillsDownByKeyboard(t *testing.T) {
	engines.RunOnOne(t, func(t *testing.T, e engines.Engine) {
		f := newFixture(t, e).filled()
		v := newViewer(t)
		v.look(browser.Look{Width: 1440, Height: 1200})
		f.inDashboard(v)
		for name, params := range f.views() {
			v.show(dashboard(), params)
			walked := v.walk()
			for _, stop := range walked {
				if !strings.HasSuffix(stop, "|ring|in sight") {
					t.Errorf("%s: the focus cannot be seen: %s", name, stop)
				}
			}
			if n := eval[int](v, `document.querySelectorAll("#widget :is(a[href], button, input, select)").length`); n != len(walked) || n == 0 {
				t.Errorf("%s: the keyboard reaches %d of %d: %v", name, len(walked), n, walked)
			}
		}
		v.show(dashboard(), map[string]any{"limit": 10})
		v.tabTo(f.failed[:10])
		before := eval[string](v, "document.querySelector('#widget').dataset.calls")
		v.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitReady(fmt.Sprintf(`#widget:not([data-calls="%s"]) #lh-timeline`, before)))
		if text := eval[string](v, "document.querySelector('#widget').innerText"); !strings.Contains(text, "Failed in preflight after") {
			t.Errorf("Enter leads to:\n%s", text)
		}
	})
}

// click clicks the first link with the text, and waits for the new content.
func (v viewer) click(text, selector, words string) {
	v.Helper()
	before := eval[string](v, "document.querySelector('#widget').dataset.calls")
	if !eval[bool](v, fmt.Sprintf(`(e => (e && e.click(), !!e))([...document.querySelectorAll("#widget button")].find(a => a.textContent === %q))`, text)) {
		v.Fatalf("there is no link %q", text)
	}
	v.do(chromedp.WaitReady(fmt.Sprintf(`#widget:not([data-calls="%s"]) %s`, before, selector)))
	if got := eval[string](v, "document.querySelector('#widget').innerText"); !strings.Contains(got, words) {
		v.Fatalf("%q leads to a page without %q:\n%s", text, words, got)
	}
}
