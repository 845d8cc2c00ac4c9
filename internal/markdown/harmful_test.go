package markdown_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// harmful returns what a browser would find in the HTML that is not text or a link to the
// web, or "".
func harmful(markup string) string {
	nodes, err := html.ParseFragment(strings.NewReader(markup), &html.Node{Type: html.ElementNode, DataAtom: atom.Div, Data: "div"})
	if err != nil {
		return err.Error()
	}
	for _, node := range nodes {
		for n := range node.Descendants() {
			if wrong := wrongWith(n); wrong != "" {
				return wrong
			}
		}
		if wrong := wrongWith(node); wrong != "" {
			return wrong
		}
	}
	return ""
}

func wrongWith(n *html.Node) string {
	if n.Type == html.TextNode {
		return ""
	}
	known := strings.Fields("p br hr h3 h4 h5 h6 ul ol li dl dt dd blockquote pre code em strong b i u del ins s sub sup kbd samp var table thead tbody tr th td details summary a")
	if n.Type != html.ElementNode || n.Namespace != "" || !slices.Contains(known, n.Data) {
		return fmt.Sprintf("the node %q", n.Data)
	}
	for _, a := range n.Attr {
		switch a.Key {
		case "rel", "start", "align":
		case "href":
			if u, err := url.Parse(a.Val); err != nil || !slices.Contains([]string{"http", "https", "mailto"}, u.Scheme) {
				return "the link " + a.Val
			}
		default:
			return fmt.Sprintf("the attribute %s of %s", a.Key, n.Data)
		}
	}
	return ""
}
