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

//go:embed style/dark.css
var darkStyle string

//go:embed style/narrow.css
var narrowStyle string

// templates returns the shared templates, and those of the file, which define
// links, forms and the surrounding document.
func templates(file string) (*template.Template, error) {
	set, err := template.ParseFS(templateFiles, "templates/parts.html", "templates/body.html",
		"templates/overview.html", "templates/runs.html", "templates/run.html", "templates/entity.html", "templates/projects.html", "templates/"+file)
	if err != nil {
		return nil, fmt.Errorf("parse console templates: %w", err)
	}
	return set, nil
}

// document is the data of the outermost template.
type document struct {
	Page page
	// Style is the version of the style sheet, which the site links to. Styles is
	// the style sheet itself, which the widget embeds.
	Style  string
	Styles template.CSS
}

func render(set *template.Template, d document) ([]byte, error) {
	var out bytes.Buffer
	if err := set.ExecuteTemplate(&out, "document", d); err != nil {
		return nil, fmt.Errorf("render console page: %w", err)
	}
	return []byte(plaintext.Text(out.String())), nil
}
