package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// attacks are texts that try to run a script, to load something, or to look like a part
// of the page. Each names itself, so that a failure says which one it was.
func attacks() []string {
	return []string{
		`<script>pwned(1)</script>`,
		`<ScRiPt>pwned(2)</sCrIpT>`,
		`<script src="//evil.example/3.js"></script>`,
		`<script/x>pwned(4)</script>`,
		`<<script>pwned(5)//<</script>`,
		`<scr<script>ipt>pwned(6)</scr</script>ipt>`,
		`<img src=x onerror=pwned(7)>`,
		`<img src="x" onerror="pwned(8)" //`,
		`<img/src=x/onerror=pwned(9)>`,
		"<img src=x onerror\n=\npwned(10)>",
		"<img src=`x` onerror=pwned(11)>",
		`<svg onload=pwned(12)>`,
		`<svg><script>pwned(13)</script></svg>`,
		`<svg><animate onbegin=pwned(14) attributeName=x dur=1s>`,
		`<svg><a xlink:href="javascript:pwned(15)"><text x=0 y=20>click</text></a></svg>`,
		`<svg><use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><a href='javascript:pwned(16)'/></svg>#x"/></svg>`,
		`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=pwned(17)&gt;">`,
		`<math href="javascript:pwned(18)">click</math>`,
		`<form><math><mtext></form><form><mglyph><style></math><img src onerror=pwned(19)>`,
		`<svg></p><style><a id="</style><img src=1 onerror=pwned(20)>">`,
		`<noscript><p title="</noscript><img src=x onerror=pwned(21)>">`,
		`<style>@import url(//evil.example/22.css); * { background: url(//evil.example/22.png) }</style>`,
		`<p style="background:url(//evil.example/23.png);position:fixed;top:0">x</p>`,
		`<link rel=stylesheet href=//evil.example/24.css>`,
		`<base href="//evil.example/25/">`,
		`<meta http-equiv=refresh content="0;url=//evil.example/26">`,
		`<iframe src="javascript:pwned(27)"></iframe>`,
		`<iframe srcdoc="<script>parent.pwned(28)</script>"></iframe>`,
		`<object data="javascript:pwned(29)"></object><embed src="javascript:pwned(29)">`,
		`<a href="javascript:pwned(30)">click</a>`,
		`<a href="java&#x09;script:pwned(31)">click</a>`,
		`<a href=" &#14; javascript:pwned(32)">click</a>`,
		`<a href="data:text/html,<script>pwned(33)</script>">click</a>`,
		`<a href="vbscript:pwned(34)" onclick="pwned(34)" target=_self>click</a>`,
		`[click](javascript:pwned(35))`,
		`[click](JaVaScRiPt&colon;pwned(36))`,
		"[click](java\tscript:pwned(37))",
		`[click](data:text/html;base64,PHNjcmlwdD5wd25lZCgzOCk8L3NjcmlwdD4=)`,
		`[click](<javascript:pwned(39)>)`,
		"[click][40]\n\n[40]: javascript:pwned(40)",
		`<javascript:pwned(41)>`,
		`![x](javascript:pwned(42))`,
		`![x](//evil.example/43.png)`,
		`![x" onerror="pwned(44)](https://evil.example/44.png)`,
		`[a](https://example.com/"onmouseover="pwned(45))`,
		"```\"onmouseover=pwned(46) x=\"\n</code></pre><script>pwned(46)</script>\n```",
		"`</code><img src=x onerror=pwned(47)>`",
		"| a |\n|---|\n| <img src=x onerror=pwned(48)> |\n",
		"> <details open ontoggle=pwned(49)><summary>x</summary></details>",
		"- <input autofocus onfocus=pwned(50)>",
		`<button onclick=pwned(51) autofocus>click</button><select autofocus onfocus=pwned(51)></select>`,
		`<video><source onerror=pwned(52)></video><audio src=//evil.example/52.mp3 autoplay>`,
		`<body onload=pwned(53)><frameset onload=pwned(53)>`,
		`<marquee onstart=pwned(54)>x</marquee>`,
		`<template><script>pwned(55)</script></template><xmp><img src=x onerror=pwned(55)></xmp>`,
		`</div></article></section></main><h1 id="content">Fake heading 56</h1><script>pwned(56)</script>`,
		`<form action="/projects/1/issues/7/sync" method=post><button>Fake button 57</button></form>`,
		`<div class="lh-notice" id="lh-q">Fake notice 58</div>`,
		`<a href="https://example.com/59" class="lh-button" style="position:fixed">x</a>`,
		`<!--><img src=x onerror=pwned(60)>-->`,
		`<![CDATA[<img src=x onerror=pwned(61)>]]>`,
		`<?xml version="1.0"?><img src=x onerror=pwned(62)>`,
		"&lt;img src=x onerror=pwned(63)&gt; &#60;script&#62;pwned(63)&#60;/script&#62;",
		"<b <script>pwned(64)</script>",
		`<img srcset="//evil.example/65.png 1x"><picture><source srcset=//evil.example/65.png></picture>`,
		`<textarea></textarea><title></title><plaintext><script>pwned(66)</script>`,
		"<details><summary>x<script>pwned(67)</script></summary>\n\n![x](x\" onerror=\"pwned(67))\n\n</details>",
		`{{.}} ${pwned(68)} {%raw%} <%= pwned(68) %> "'` + "`",
		"https://evil.example/69\"onmouseover=pwned(69) mailto:a@b\"onmouseover=pwned(69)",
		"<table><td background=//evil.example/70.png><tr><td></table></td></table><script>pwned(70)</script>",
	}
}

// stored is an issue that has the text everywhere where GitLab's users can put one.
func stored(t *testing.T, texts []string) string {
	t.Helper()
	notes := []any{}
	for i, text := range texts {
		notes = append(notes, map[string]any{"id": fmt.Sprint("d", i), "notes": []any{map[string]any{
			"id": i + 1, "body": text, "created_at": "2026-11-01T06:00:00Z", "author": map[string]any{"username": text, "name": text},
			"position": map[string]any{"new_path": text, "new_line": 1}, "resolvable": true, "resolved": true,
		}}})
	}
	all := strings.Join(texts, "\n\n")
	raw, err := json.Marshal(map[string]any{
		"project_id": 1, "type": "issue", "iid": 7, "title": texts[0], "state": texts[0], "web_url": "https://gitlab.example.com/g/p/-/issues/7", "path": texts[0],
		"entity": map[string]any{
			"title": texts[0], "description": all, "state": texts[1%len(texts)], "labels": texts[:min(len(texts), 5)],
			"author": map[string]any{"username": texts[0]}, "milestone": map[string]any{"title": texts[0]}, "web_url": "javascript:pwned(0)",
			"assignees": []any{map[string]any{"username": texts[0]}}, "source_branch": texts[0], "target_branch": texts[0], "created_at": "2026-11-01T06:00:00Z",
		},
		"discussions": notes, "events": map[string]any{"label": []any{map[string]any{"action": "add", "label": map[string]any{"name": texts[0]}, "user": map[string]any{"username": texts[0]}}}},
		"documents": []any{map[string]any{"id": texts[0], "title": texts[0], "url": "javascript:pwned(0)", "text": all}},
		// As a page of a search and of a list, too.
		"hits": []any{map[string]any{
			"project_id": 1, "type": "issue", "iid": 7, "title": texts[0], "state": texts[0], "author": texts[0], "labels": texts[:min(len(texts), 5)], "web_url": "javascript:pwned(0)",
			"passages": []any{map[string]any{"document": texts[0], "url": "javascript:pwned(0)#note_1\"><script>pwned(0)</script>", "text": all, "marks": []any{map[string]any{"start": 1, "end": 7}}}},
		}},
		"mode": texts[0], "model": texts[0], "reason": texts[0],
		"entities": []any{map[string]any{"project_id": 1, "type": "issue", "iid": 7, "title": texts[0], "state": texts[0], "author": texts[0], "labels": texts[:min(len(texts), 5)]}},
		"projects": []any{map[string]any{"project_id": 1, "path": texts[0], "hook": map[string]any{"state": texts[0], "reason": texts[0]}}},
		"run_id":   "abc", "status": "failed", "targets": []any{map[string]any{"type": "issue", "iid": 7}}, "error": map[string]any{"code": texts[0], "message": all, "detail": all, "action": texts[0]},
		"sentences": texts,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// lenient serves the same pages without the Content-Security-Policy, with a trap for what
// would run, so that the pages themselves are tested and not only the policy.
func lenient(t *testing.T, site *httptest.Server) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		r.Host = "127.0.0.1"
		site.Config.Handler.ServeHTTP(recorded, r)
		w.Header().Set("Content-Type", recorded.Header().Get("Content-Type"))
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	return server
}

func TestSite_RunsAndLoadsNothingThatAnAttackerWrote(t *testing.T) {
	f := unstored(t)
	site := f.siteOf(answering(t, 200, stored(t, attacks())))
	v := newViewer(t)
	if _, err := chromedp.Call(v.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var loaded []string
	if err := chromedp.Listen(v.ctx, func(ev any) {
		if e, ok := ev.(*network.EventRequestWillBeSent); ok {
			mu.Lock()
			defer mu.Unlock()
			loaded = append(loaded, e.Request.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	// A field for dates has an icon of the browser's own.
	v.open("about:blank")
	eval[bool](v, `(async () => {
		document.body.innerHTML = "<input type=date>";
		await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
		return true;
	})()`)
	mu.Lock()
	own := slices.Clone(loaded)
	mu.Unlock()
	for policy, server := range map[string]*httptest.Server{"with its policy": site, "without a policy": lenient(t, site)} {
		for _, page := range []string{"/projects/1/issues/7", "/search?q=" + url.QueryEscape(attacks()[6]), "/projects/1/issues?label=" + url.QueryEscape(attacks()[6]), "/", "/runs/abc", "/projects/1"} {
			name := policy + ", " + page
			v.open(server.URL + page)
			// Whatever listens is called: by the mouse, the focus, and a click on every link.
			provoked := eval[[]string](v, `(async () => {
				window.calls = [];
				window.pwned = (n) => window.calls.push(String(n));
				addEventListener("submit", (e) => e.preventDefault(), true);
				addEventListener("click", (e) => { if (e.target.closest("a, [type=submit]")) { e.preventDefault(); } }, true);
				for (const element of document.querySelectorAll("main *")) {
					for (const kind of ["mouseover", "mouseenter", "focus", "click", "toggle", "error", "load", "begin"]) {
						element.dispatchEvent(new Event(kind, { bubbles: true, cancelable: true }));
					}
				}
				for (const details of document.querySelectorAll("details")) { details.open = true; }
				await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
				delete window.pwned;
				return window.calls;
			})()`)
			for _, n := range provoked {
				t.Errorf("%s: attack %s ran a script", name, n)
			}
			for _, wrong := range inspected[[]string](v, "markup()") {
				t.Errorf("%s: %s", name, wrong)
			}
			for _, wrong := range eval[[]string](v, `[...document.querySelectorAll("main *")].flatMap((e) => {
				const wrong = [];
				const ours = !e.parentElement.closest(".lh-md");
				if (["SCRIPT", "STYLE", "IFRAME", "OBJECT", "EMBED", "IMG", "LINK", "META", "BASE", "MATH", "VIDEO", "AUDIO", "TEMPLATE"].includes(e.tagName.toUpperCase())) { wrong.push("the element " + e.outerHTML.slice(0, 200)); }
				if (!ours && ["SVG", "FORM", "INPUT", "BUTTON", "SELECT", "TEXTAREA", "H1", "H2", "DIV"].includes(e.tagName.toUpperCase())) { wrong.push("in a text, the element " + e.outerHTML.slice(0, 200)); }
				for (const a of e.attributes) {
					if (a.name.startsWith("on") || a.name === "style" || a.name === "srcdoc" || a.name === "formaction") { wrong.push("the attribute " + a.name + " of " + e.outerHTML.slice(0, 200)); }
					if (!ours && !["href", "rel", "start", "align", "open"].includes(a.name)) { wrong.push("in a text, the attribute " + a.name + " of " + e.outerHTML.slice(0, 200)); }
					if (["href", "src", "action"].includes(a.name) && !/^(https?:|mailto:|\/(?!\/)|#)/.test(a.value)) { wrong.push("the address " + a.value); }
				}
				return wrong;
			})`) {
				t.Errorf("%s: %s", name, wrong)
			}
			if headings := eval[int](v, `document.querySelectorAll("h1").length`); headings != 1 {
				t.Errorf("%s: %d headings", name, headings)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(loaded)-len(own) < 12 {
		t.Errorf("only %d requests were seen: %v", len(loaded), loaded)
	}
	for _, address := range loaded {
		if !strings.HasPrefix(address, "http://127.0.0.1:") && !slices.Contains(own, address) {
			t.Errorf("a page loaded %s", address)
		}
	}
	if len(attacks()) < 40 {
		t.Errorf("%d attacks", len(attacks()))
	}
}

// A script that an attacker brings into a page anyway is refused by the policy.
func TestSite_PolicyRunsNoInlineScript(t *testing.T) {
	f := unstored(t)
	site := f.siteOf(answering(t, 200, stored(t, []string{"x"})))
	v := newViewer(t)
	v.open(site.URL + "/projects/1/issues/7")
	got := eval[string](v, `(async () => {
		window.ran = "";
		const blocked = [];
		addEventListener("securitypolicyviolation", (e) => blocked.push(e.effectiveDirective));
		document.body.insertAdjacentHTML("beforeend", '<img src="https://evil.example/x.png" onerror="window.ran += 1"><div style="color:red">x</div><iframe src="https://evil.example/"></iframe>');
		const script = document.createElement("script");
		script.textContent = "window.ran += 2";
		document.body.append(script);
		await new Promise((done) => setTimeout(done, 200));
		return window.ran + " " + [...new Set(blocked)].sort().join(" ");
	})()`)
	if got != " frame-src img-src script-src-attr script-src-elem style-src-attr" && got != " frame-src img-src script-src-elem style-src-attr" {
		t.Errorf("ran and blocked: %q", got)
	}
}
