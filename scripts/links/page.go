package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// page is a Markdown file.
type page struct {
	links []link
	// anchors are those of its headings and of its HTML.
	anchors map[string]bool
}

type link struct {
	line   int
	target string
}

// parse reads GitHub-flavoured Markdown.
func parse(source []byte) page {
	document := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	p := page{anchors: map[string]bool{}}
	line := 1 // of the last text
	_ = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		leads := n.Kind() == ast.KindLink || n.Kind() == ast.KindImage
		if entering == leads {
			return ast.WalkContinue, nil // a link comes after its text, which has a line
		}
		switch n := n.(type) {
		case *ast.Text:
			line = 1 + bytes.Count(source[:n.Segment.Start], []byte("\n"))
		case *ast.RawHTML:
			p.addNamed(n.Segments.Value(source))
		case *ast.HTMLBlock:
			p.addNamed(n.Lines().Value(source))
		case *ast.Heading:
			p.addAnchor(plain(n, source))
		case *ast.Link:
			p.links = append(p.links, link{line, string(n.Destination)})
		case *ast.Image:
			p.links = append(p.links, link{line, string(n.Destination)})
		}
		return ast.WalkContinue, nil
	})
	return p
}

// plain is the text of a node, without its markup.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
		} else {
			b.WriteString(plain(c, source))
		}
	}
	return b.String()
}

// addNamed adds the anchors that HTML names.
func (p page) addNamed(html []byte) {
	for _, m := range named.FindAllSubmatch(html, -1) {
		p.anchors[string(m[1])] = true
	}
}

var (
	named   = regexp.MustCompile(`<a [^>]*(?:id|name)="([^"]+)"`)
	notWord = regexp.MustCompile(`[^\p{L}\p{N}\p{M}_ -]`)
	spaces  = regexp.MustCompile(`[ -]+`)
)

// addAnchor adds the anchor that GitLab gives a heading: in lower case, without
// punctuation, with hyphens for spaces, and a number behind one that repeats.
func (p page) addAnchor(heading string) {
	anchor := notWord.ReplaceAllString(strings.ToLower(heading), "")
	anchor = spaces.ReplaceAllString(anchor, "-")
	unique := anchor
	for i := 1; p.anchors[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", anchor, i)
	}
	p.anchors[unique] = true
}
