package dashboard

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/yuin/goldmark"
)

// The size of a cell of the grid, and what a widget has besides its content, in pixels.
const (
	cellWidth, cellHeight = 55, 36
	gap, titleHeight      = 8, 26
	legendHeight          = 32
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// drawn is a widget as it appears on the page.
type drawn struct {
	Type, Title         string
	X, Y, Width, Height int
	Content             template.HTML
	Legend              []entry
	Missing             string
	Unit                string
	Frame               string
}

// entry is a line of a legend.
type entry struct {
	Label, Value string
	Color        template.CSS
}

// Height and Width are the size of the page in pixels.
func (b Board) Height() int {
	rows := 0
	for _, w := range b.Widgets {
		rows = max(rows, w.Y+w.Height)
	}
	return rows*cellHeight + 2*gap
}

// Width returns the page's width.
func (b Board) Width() int { return 24*cellWidth + 2*gap }

// Page returns the dashboard as HTML, with every widget in its place. It fails if there
// is a widget, a statistic or an expression that it cannot draw.
func (b Board) Page(r Recording) ([]byte, error) {
	var all []drawn
	for _, w := range b.Widgets {
		d, err := b.draw(w, r)
		if err != nil {
			return nil, fmt.Errorf("%s widget %q: %w", w.Type, w.Properties.Title, err)
		}
		all = append(all, d)
	}
	var page bytes.Buffer
	err := pageTemplate.Execute(&page, map[string]any{"Widgets": all, "Width": b.Width(), "Height": b.Height(), "About": r.About})
	return page.Bytes(), err
}

func (b Board) draw(w Widget, r Recording) (drawn, error) {
	d := drawn{
		Type: w.Type, Title: w.Properties.Title, Unit: w.Properties.YAxis.Left.Label,
		X: w.X*cellWidth + gap, Y: w.Y*cellHeight + gap, Width: w.Width*cellWidth - gap, Height: w.Height*cellHeight - gap,
	}
	var err error
	switch {
	case w.Type == "text":
		d.Content, err = markdown(w.Properties.Markdown)
	case w.Type == "alarm":
		d.Content, err = b.alarms(w, r)
	case w.Type == "metric" && w.Properties.View == "singleValue":
		err = d.values(w, r)
	case w.Type == "metric" && (w.Properties.View == "timeSeries" || w.Properties.View == ""):
		err = d.graph(w, r)
	case w.Type == "log":
		d.Content, err = r.table(w.Properties.Query)
	case w.Type == "custom":
		// CloudWatch does not show what its own elements contain.
		d.Frame = r.Ledger + "<style>cwdb-action { display: none }</style>"
	default:
		err = fmt.Errorf("the type %q with the view %q is not drawn", w.Type, w.Properties.View)
	}
	return d, err
}

func markdown(text string) (template.HTML, error) {
	var out bytes.Buffer
	err := goldmark.Convert([]byte(text), &out)
	return template.HTML(out.String()), err
}

// alarms draws the alarms in the widget's order, with their states.
func (b Board) alarms(w Widget, r Recording) (template.HTML, error) {
	var out strings.Builder
	for _, name := range w.Properties.Alarms {
		name = name[strings.LastIndex(name, ":")+1:]
		a, ok := b.Alarms[name]
		if !ok {
			return "", fmt.Errorf("the template has no alarm %s", name)
		}
		state, err := r.state(a)
		if err != nil {
			return "", err
		}
		class := map[string]string{stateOK: "ok", stateAlarm: "bad", stateNoData: "none"}[state]
		fmt.Fprintf(&out, `<span class="state %s">%s <i>%s</i></span>`, class, template.HTMLEscapeString(name), state)
	}
	return template.HTML(out.String()), nil
}

func (d *drawn) graph(w Widget, r Recording) error {
	lines, err := r.seriesOf(w)
	if err != nil {
		return err
	}
	g := graph{widget: w, lines: lines, start: r.Start, end: r.Start.Add(time.Duration(r.Bins) * Bin), width: float64(d.Width - 2), height: float64(d.Height - titleHeight - legendHeight - 2)}
	d.Content = template.HTML(g.draw())
	// A legend has room for what is not constantly zero, or for a few.
	const most = 9
	more, missing, highest := 0, 0, 0.0
	for _, s := range lines {
		switch {
		case !s.recorded:
			missing++
		case len(lines) > most && s.maximum() == 0, len(d.Legend) >= most:
			more, highest = more+1, max(highest, s.maximum())
		default:
			d.Legend = append(d.Legend, entry{Label: s.label, Color: template.CSS(s.color)})
		}
	}
	switch {
	case missing == len(lines):
		d.Missing = "no data"
	case missing > 0 && len(lines) <= most:
		for _, s := range lines {
			if !s.recorded {
				d.Legend = append(d.Legend, entry{Label: s.label + ": no data", Color: "#ccc"})
			}
		}
	case missing > 0:
		d.Legend = append(d.Legend, entry{Label: fmt.Sprintf("%d without data", missing), Color: "#ccc"})
	}
	switch {
	case more > 0 && highest == 0:
		d.Legend = append(d.Legend, entry{Label: fmt.Sprintf("%d at 0", more), Color: "#999"})
	case more > 0:
		d.Legend = append(d.Legend, entry{Label: fmt.Sprintf("%d more", more), Color: "#999"})
	}
	return nil
}

func (d *drawn) values(w Widget, r Recording) error {
	lines, err := r.seriesOf(w)
	if err != nil {
		return err
	}
	for _, s := range lines {
		text := "no data"
		if v, ok := s.last(); ok {
			text = number(v)
		}
		d.Legend = append(d.Legend, entry{Label: s.label, Value: text, Color: template.CSS(s.color)})
	}
	return nil
}
