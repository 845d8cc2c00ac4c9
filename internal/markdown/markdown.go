// Package markdown turns the Markdown that people write in GitLab into HTML that is safe
// to show on a page of Lorehook's own.
package markdown

import (
	"bytes"
	"html/template"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
)

const (
	// A text beyond one of these is shown as it was written, because the time to parse it
	// grows with their squares: bytes, brackets, and blocks within blocks on one line.
	maxRendered = 64 << 10
	maxBrackets = 1000
	maxNested   = 24
	// maxShown is the length in characters at which a text is cut.
	maxShown = 200_000
)

// Renderer renders texts. It is safe for concurrent use.
type Renderer struct {
	markdown goldmark.Markdown
	policy   *bluemonday.Policy
}

// New returns a renderer.
func New() *Renderer {
	return &Renderer{
		markdown: goldmark.New(
			goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Strikethrough, extension.Linkify, extension.TaskList),
			goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(rewriter{}, 1000))),
			goldmark.WithRendererOptions(html.WithUnsafe(), html.WithHardWraps(), renderer.WithNodeRenderers(util.Prioritized(taskBoxes{}, 1))),
		),
		policy: policy(),
	}
}

// policy allows elements of text without any attribute, links to the web, the number
// that a list begins with, and the alignment of cells. Images, styles, forms and
// headings of the page's own levels are not allowed.
func policy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements(
		"p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "pre", "code",
		"em", "strong", "b", "i", "u", "del", "ins", "s", "sub", "sup", "kbd", "samp", "var",
		"table", "thead", "tbody", "tr", "th", "td", "details", "summary",
	)
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowAttrs("align").Matching(bluemonday.CellAlign).OnElements("th", "td")
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
}

// HTML returns the text as HTML of the elements that [policy] names, each of which is
// closed. page is the URL of the GitLab page that the text is on, against which its links
// are resolved; without one, only absolute links remain links. Images become links. A
// text that is too long or too involved to be rendered at once is shown as it was written,
// and cut after 200,000 characters.
func (r *Renderer) HTML(text, page string) template.HTML {
	text = plaintext.Text(text)
	if heavy(text) {
		return verbatim(text)
	}
	base, err := url.Parse(page)
	if err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" {
		base = nil
	}
	context := parser.NewContext()
	context.Set(baseKey, base)
	var out bytes.Buffer
	if err := r.markdown.Convert([]byte(text), &out, parser.WithContext(context)); err != nil {
		return verbatim(text)
	}
	safe, err := balanced(r.policy.SanitizeReader(&out))
	if err != nil {
		return verbatim(text)
	}
	return template.HTML(safe)
}

// balanced closes what is open and drops what closes nothing, so that a text cannot end
// the element that it is shown in.
func balanced(in *bytes.Buffer) (string, error) {
	nodes, err := xhtml.ParseFragment(in, &xhtml.Node{Type: xhtml.ElementNode, DataAtom: atom.Div, Data: "div"})
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, node := range nodes {
		if err := xhtml.Render(&out, node); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

// heavy reports whether rendering the text could take seconds.
func heavy(text string) bool {
	if len(text) > maxRendered || strings.Count(text, "[") > maxBrackets {
		return true
	}
	for line := range strings.SplitSeq(text, "\n") {
		// What quotes and lists begin with.
		marks := line[:len(line)-len(strings.TrimLeft(line, " \t>-+*.)0123456789"))]
		nested := 0
		for _, mark := range []string{">", "- ", "+ ", "* ", ". ", ") "} {
			nested += strings.Count(marks, mark)
		}
		if nested > maxNested {
			return true
		}
	}
	return false
}

// verbatim shows a text as it was written.
func verbatim(text string) template.HTML {
	more := ""
	if n := utf8.RuneCountInString(text); n > maxShown {
		text, more = string([]rune(text)[:maxShown]), "\n… cut here; GitLab has the rest"
	}
	return template.HTML("<pre>" + template.HTMLEscapeString(text+more) + "</pre>")
}
