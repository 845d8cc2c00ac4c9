package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed style/base.css
var baseStyle string

//go:embed style/dark.css
var darkStyle string

//go:embed style/narrow.css
var narrowStyle string

// templates are the shared ones, and what the file says of links, forms and
// the document around them.
func templates(file string) (*template.Template, error) {
	set, err := template.ParseFS(templateFiles, "templates/parts.html", "templates/body.html",
		"templates/overview.html", "templates/runs.html", "templates/run.html", "templates/entity.html", "templates/"+file)
	if err != nil {
		return nil, fmt.Errorf("console templates: %w", err)
	}
	return set, nil
}

// document is what the outermost template shows.
type document struct {
	Page page
	// Style is the style sheet's version, for the site; Styles the sheet itself,
	// for the widget.
	Style  string
	Styles template.CSS
}

func render(set *template.Template, d document) ([]byte, error) {
	var out bytes.Buffer
	if err := set.ExecuteTemplate(&out, "document", d); err != nil {
		return nil, fmt.Errorf("console template: %w", err)
	}
	return out.Bytes(), nil
}
