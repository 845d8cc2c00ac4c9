package markdown_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/markdown"
)

const page = "https://gitlab.example.com/group/project/-/issues/7"

func TestRenderer_HTML_RendersWhatPeopleWrite(t *testing.T) {
	r := markdown.New()
	for name, c := range map[string]struct{ text, want string }{
		"paragraphs":       {"one *two* **three** ~~four~~ `five`\nsix\n\nseven", "<p>one <em>two</em> <strong>three</strong> <del>four</del> <code>five</code><br/>\nsix</p>\n<p>seven</p>"},
		"headings":         {"## a\n\n##### b\n\n###### c\n\n### d\n\n# e", "<h3>a</h3>\n<h4>b</h4>\n<h5>c</h5>\n<h4>d</h4>\n<h3>e</h3>"},
		"a fence":          {"```go\nif a < b && c > d {}\n```", "<pre><code>if a &lt; b &amp;&amp; c &gt; d {}\n</code></pre>"},
		"tasks":            {"- [x] done\n- [ ] open", "<ul>\n<li>☑ done</li>\n<li>☐ open</li>\n</ul>"},
		"a table":          {"|a|b|\n|-|-:|\n|1|2|", "<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"right\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table>"},
		"a list's start":   {"7. x", "<ol start=\"7\">\n<li>x</li>\n</ol>"},
		"its own HTML":     {"<details><summary>log</summary>\n\ntext <kbd>Ctrl</kbd>\n\n</details>", "<details><summary>log</summary>\n<p>text <kbd>Ctrl</kbd></p>\n</details>"},
		"an absolute link": {"[x](https://example.com/a?b=1&c=2 \"title\")", `<p><a href="https://example.com/a?b=1&amp;c=2" rel="nofollow noreferrer">x</a></p>`},
		"an autolink":      {"see https://example.com/x.", `<p>see <a href="https://example.com/x" rel="nofollow noreferrer">https://example.com/x</a>.</p>`},
		"a relative link":  {"[x](#note_1) [y](/g/p/-/issues/8) [z](//other.example/)", `<p><a href="https://gitlab.example.com/group/project/-/issues/7#note_1" rel="nofollow noreferrer">x</a> <a href="https://gitlab.example.com/g/p/-/issues/8" rel="nofollow noreferrer">y</a> <a href="https://other.example/" rel="nofollow noreferrer">z</a></p>`},
		"an upload":        {"![a *shot*](/uploads/0a1b/a.png)", `<p><a href="https://gitlab.example.com/group/project/uploads/0a1b/a.png" rel="nofollow noreferrer">image: a <em>shot</em></a></p>`},
		"a bare image":     {"![](https://example.com/a.png)", `<p><a href="https://example.com/a.png" rel="nofollow noreferrer">image: https://example.com/a.png</a></p>`},
		"nothing":          {"", ""},
	} {
		if diff := cmp.Diff(c.want, strings.TrimRight(string(r.HTML(c.text, page)), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRenderer_HTML_KeepsOnlyLinksToTheWeb(t *testing.T) {
	r := markdown.New()
	for _, text := range []string{
		"[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](&#106;avascript:alert(1))", "[x](data:text/html,hi)", "[x](vbscript:x)",
		"[x](file:///etc/passwd)", "<javascript:alert(1)>", `<a href="javascript:alert(1)">x</a>`, "<a href=\" java\tscript:alert(1)\">x</a>", "![x](javascript:alert(1))",
	} {
		if got := string(r.HTML(text, page)); strings.Contains(got, "href") {
			t.Errorf("%q: %s", text, got)
		}
	}
	for _, base := range []string{"", "javascript:alert(1)", "/relative", ":"} {
		if got := string(r.HTML("[x](#note_1) [y](/runs)", base)); strings.Contains(got, "href") {
			t.Errorf("of page %q: %s", base, got)
		}
	}
}

// A text cannot end the element that it is shown in.
func TestRenderer_HTML_ClosesWhatIsOpenAndDropsWhatClosesNothing(t *testing.T) {
	r := markdown.New()
	for text, want := range map[string]string{
		"</p></div></details></blockquote></table></td></li></ul>x": "<p>x</p>",
		"<details><summary>a":                "<details><summary>a</summary></details>",
		"<b>a\n\nb":                          "<p><b>a</b></p><b>\n<p>b</p>\n</b>",
		"<table><tr><td>a</table></td>\n\nb": "<table><tbody><tr><td>a</td></tr></tbody></table>\n<p>b</p>",
	} {
		got := strings.TrimSpace(string(r.HTML(text, page)))
		if text == "</p></div></details></blockquote></table></td></li></ul>x" {
			if strings.Contains(got, "</div>") || strings.Contains(got, "</details>") || strings.Contains(got, "</li>") || !strings.Contains(got, "x") {
				t.Errorf("%s", got)
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// What GitLab's users write must not hold up the page.
func TestRenderer_HTML_TakesBoundedTime(t *testing.T) {
	r := markdown.New()
	for name, unit := range map[string]string{
		"quotes": ">", "spaced quotes": "> ", "lists": "- ", "plus lists": "+ ", "numbered lists": "1. ", "quoted lists": "> 1) ", "deep lists": strings.Repeat(strings.Repeat(" ", 40)+"- a\n", 1),
		"quotes of 20": strings.Repeat(">", 20) + "a\n", "links of a line": strings.Repeat("[a](", 999) + strings.Repeat("x", 60000), "emphasis": "*a ", "mixed emphasis": "*_", "brackets": "[", "images": "![", "links": "[a](", "ticks": "`a", "HTML": "<b>", "comments": "<!--", "tables": "|a", "rows": "|a|b|\n|-|-|\n",
		"entities": "&#", "addresses": "a@b.", "URLs": "https://a", "tildes": "~~a", "definitions": "[a]: b\n", "nested": "<details><blockquote>", "text": "word ", "lines": "\n> - ",
	} {
		began := time.Now()
		out := r.HTML(strings.Repeat(unit, max(1, (64<<10)/len(unit))), page)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: %s for %d bytes", name, took, len(out))
		} else {
			t.Logf("%s: %s, %d bytes", name, took, len(out))
		}
	}
}

func TestRenderer_HTML_ShowsALongTextAsItWasWritten(t *testing.T) {
	r := markdown.New()
	got := string(r.HTML("*a* <script>"+strings.Repeat("x", 300_000), page))
	if !strings.HasPrefix(got, "<pre>*a* &lt;script&gt;xxx") || !strings.HasSuffix(got, "x\n… cut here; GitLab has the rest</pre>") || len(got) > 200_100 {
		t.Errorf("%.40s … %s, %d bytes", got, got[len(got)-60:], len(got))
	}
	if got := string(r.HTML("a\u202eb\x1b[31m", page)); strings.ContainsAny(got, "\u202e\x1b") {
		t.Errorf("%q", got)
	}
}

func FuzzRenderer_HTML_HasOnlyHarmlessElements(f *testing.F) {
	for _, text := range []string{"# a", "[x](javascript:1)", "<svg><script>1</script></svg>", "<p title='</style><img src=x onerror=1>'>", "| a |\n|-|\n| <td> |", "```\n</pre><script>"} {
		f.Add(text)
	}
	r := markdown.New()
	f.Fuzz(func(t *testing.T, text string) {
		if wrong := harmful(string(r.HTML(text, page))); wrong != "" {
			t.Errorf("%s of %q", wrong, text)
		}
	})
}

func ExampleRenderer_HTML() {
	fmt.Println(markdown.New().HTML("See [the log](#note_3).", page))
	// Output: <p>See <a href="https://gitlab.example.com/group/project/-/issues/7#note_3" rel="nofollow noreferrer">the log</a>.</p>
}
