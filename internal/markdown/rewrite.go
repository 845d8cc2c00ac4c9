package markdown

import (
	"net/url"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// firstHeading is the level that the headings of a text begin with: those above it are
// the page's own. Whatever levels a text uses, no level is left out below it.
const firstHeading = 3

var baseKey = parser.NewContextKey()

// rewriter adapts a text to the page that it is shown on.
type rewriter struct{}

// Transform implements [parser.ASTTransformer].
func (rewriter) Transform(document *ast.Document, reader text.Reader, context parser.Context) {
	base, _ := context.Get(baseKey).(*url.URL)
	var images []*ast.Image
	var above []int // the levels of the headings that the current one is below
	// The function returns no error.
	_ = ast.Walk(document, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := node.(type) {
		case *ast.Heading:
			for len(above) > 0 && above[len(above)-1] >= n.Level {
				above = above[:len(above)-1]
			}
			above = append(above, n.Level)
			n.Level = min(firstHeading+len(above)-1, 6)
		case *ast.Link:
			n.Destination = resolved(n.Destination, base)
			n.Title = nil
		case *ast.Image:
			images = append(images, n)
		}
		return ast.WalkContinue, nil
	})
	for i := len(images) - 1; i >= 0; i-- { // the innermost first
		replace(images[i], base)
	}
}

// replace puts a link in the place of an image.
func replace(image *ast.Image, base *url.URL) {
	link := ast.NewLink()
	link.Destination = resolved(image.Destination, base)
	link.AppendChild(link, ast.NewString([]byte("image: ")))
	for child := image.FirstChild(); child != nil; {
		next := child.NextSibling()
		link.AppendChild(link, child)
		child = next
	}
	if link.ChildCount() == 1 {
		link.AppendChild(link, ast.NewString(util.EscapeHTML(image.Destination)))
	}
	image.Parent().ReplaceChild(image.Parent(), image, link)
}

// resolved returns the destination as an absolute URL, or nothing if it is not one of the
// web. A path from the root is one of the project, as in GitLab, if it leads to an upload.
func resolved(destination []byte, base *url.URL) []byte {
	u, err := url.Parse(strings.TrimSpace(string(util.ResolveNumericReferences(util.ResolveEntityNames(util.UnescapePunctuations(destination))))))
	switch {
	case err != nil:
		return nil
	case u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "mailto":
		return destination
	case u.Scheme != "" || base == nil:
		return nil
	}
	if project, _, ok := strings.Cut(base.Path, "/-/"); ok && strings.HasPrefix(u.Path, "/uploads/") && u.Host == "" {
		u.Path, u.RawPath = project+u.Path, ""
	}
	return []byte(base.ResolveReference(u).String())
}

// taskBoxes renders the boxes of task lists as characters: the page's own forms are the
// only ones.
type taskBoxes struct{}

// RegisterFuncs implements [renderer.NodeRenderer].
func (taskBoxes) RegisterFuncs(to renderer.NodeRendererFuncRegisterer) {
	to.Register(extast.KindTaskCheckBox, func(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
		if box, ok := node.(*extast.TaskCheckBox); ok && entering {
			mark := "☐ "
			if box.IsChecked {
				mark = "☑ "
			}
			if _, err := w.WriteString(mark); err != nil {
				return ast.WalkStop, err
			}
		}
		return ast.WalkContinue, nil
	})
}
