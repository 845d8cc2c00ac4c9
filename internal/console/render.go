package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed style/base.css
var baseStyle string

//go:embed style/site.css
var siteStyle string

//go:embed style/dark.css
var darkStyle string

//go:embed style/narrow.css
var narrowStyle string

//go:embed style/narrowsite.css
var narrowSiteStyle string

//go:embed script/console.js
var script []byte

// templates returns the shared templates and those of a front end: the files define links,
// forms, the surrounding document and what only that front end shows.
func templates(files ...string) (*template.Template, error) {
	patterns := []string{"templates/parts.html", "templates/runs.html", "templates/run.html", "templates/projects.html"}
	for _, file := range files {
		patterns = append(patterns, "templates/"+file)
	}
	set, err := template.ParseFS(templateFiles, patterns...)
	if err != nil {
		return nil, fmt.Errorf("parse console templates: %w", err)
	}
	return set, nil
}

// filled returns the document that the templates make of the data.
func filled(set *template.Template, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := set.ExecuteTemplate(&out, "document", data); err != nil {
		return nil, fmt.Errorf("render console page: %w", err)
	}
	return []byte(plaintext.Text(out.String())), nil
}
