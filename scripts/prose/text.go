package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// part is a piece of prose, with the line that it begins on. Its line breaks
// are those of the file.
type part struct {
	line int
	text string
}

// reader takes the prose out of a file's source.
type reader func(path string, source []byte) ([]part, error)

// readerOf returns nil for a file that holds no prose.
func readerOf(path string) reader {
	switch filepath.Ext(path) {
	case ".go":
		return goText
	case ".md":
		return blanking(markdownCode)
	case ".html", ".tmpl", ".gohtml":
		return blanking(markup)
	case ".yml", ".yaml", ".toml", ".sh":
		return blanking(nil)
	case "":
		return blanking(nil) // Makefile and scripts
	}
	return nil
}

var (
	markdownCode = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$|`[^`\n]*`|\\]\\([^)\n]*\\)|https?://\\S+")
	markup       = regexp.MustCompile(`(?s)<(script|style)\b.*?</(script|style)>|\{\{.*?\}\}|<[^>]*>`)
	marker       = regexp.MustCompile(`(?m)^[ \t]*//(go:.*|nolint.*)?`)
	notBreaks    = regexp.MustCompile(`[^\n]`)
)

// blank replaces what a pattern matches by spaces, and keeps the lines.
func blank(pattern *regexp.Regexp, text string) string {
	return pattern.ReplaceAllStringFunc(text, func(s string) string { return notBreaks.ReplaceAllString(s, " ") })
}

func blanking(pattern *regexp.Regexp) reader {
	return func(_ string, source []byte) ([]part, error) {
		text := string(source)
		if pattern != nil {
			text = blank(pattern, text)
		}
		return []part{{1, text}}, nil
	}
}

// goText returns comments, and outside of tests the strings that contain a
// space: messages, help, descriptions. A test's strings are often samples.
func goText(path string, source []byte) ([]part, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, group := range file.Comments {
		text := string(source[files.Position(group.Pos()).Offset:files.Position(group.End()).Offset])
		parts = append(parts, part{files.Position(group.Pos()).Line, blank(marker, text)})
	}
	if strings.HasSuffix(path, "_test.go") {
		return parts, nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			if err == nil && strings.Contains(text, " ") {
				if literal.Value[0] != '`' {
					text = strings.ReplaceAll(text, "\n", " ") // the file has no break there
				}
				parts = append(parts, part{files.Position(literal.Pos()).Line, text})
			}
		}
		return true
	})
	return parts, nil
}
