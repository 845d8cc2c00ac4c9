package dashboard

import (
	"fmt"
	"html/template"
	"strings"
)

// table draws what a query finds in the recorded lines.
func (r Recording) table(text string) (template.HTML, error) {
	q, err := parseQuery(text)
	if err != nil {
		return "", err
	}
	rows, err := q.run(r.Lines)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	row := func(element string, cells []string) {
		out.WriteString("<tr>")
		for _, cell := range cells {
			fmt.Fprintf(&out, "<%s>%s</%[1]s>", element, template.HTMLEscapeString(cell))
		}
		out.WriteString("</tr>")
	}
	out.WriteString("<table>")
	row("th", q.columns)
	for _, cells := range rows {
		row("td", cells)
	}
	out.WriteString("</table>")
	if len(rows) == 0 {
		out.WriteString(`<p class="none">no lines</p>`)
	}
	return template.HTML(out.String()), nil
}
