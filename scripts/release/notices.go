package main

import (
	"fmt"
	"slices"
	"strings"
)

// page is where the source of the module can be had.
func (m *module) page() string {
	if m.path == stdlib {
		return "https://go.dev/dl/go" + m.version + ".src.tar.gz"
	}
	return "https://pkg.go.dev/" + m.path + "@" + m.version
}

// renderNotices lists the modules with their licences, and then every licence and notice
// once, with the modules that it is of.
func renderNotices(s source, modules []*module) string {
	var b strings.Builder
	fmt.Fprintf(&b, `Third-party notices of Lorehook %s

lore and Lorehook's functions contain the following software, unchanged. Which program
contains which, lorehook_%s.spdx.json says. The source code is at the addresses given.

`, s.version, s.number())
	for _, m := range modules {
		fmt.Fprintf(&b, "%s %s\n    %s\n    %s\n", m.path, m.version, m.license, m.page())
	}
	type group struct {
		content string
		of      []string
	}
	var groups []*group
	for _, m := range modules {
		for _, t := range m.texts {
			i := slices.IndexFunc(groups, func(g *group) bool { return g.content == plain(t.content) })
			if i < 0 {
				i = len(groups)
				groups = append(groups, &group{content: plain(t.content)})
			}
			groups[i].of = append(groups[i].of, m.path+"/"+t.path)
		}
	}
	line := strings.Repeat("=", 78)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n%s\n", line, strings.Join(g.of, "\n"), line, g.content)
	}
	return b.String()
}

// plain is the text with the line breaks of Unix and none at its ends.
func plain(content string) string {
	return strings.Trim(strings.ReplaceAll(content, "\r\n", "\n"), "\n")
}
