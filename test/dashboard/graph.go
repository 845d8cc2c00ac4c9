package dashboard

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// The plot's margins in pixels, and the height of a line of the legend.
const (
	marginLeft, marginRight = 52.0, 14.0
	marginTop, marginBottom = 10.0, 20.0
)

// graph is a plot of width by height pixels.
type graph struct {
	widget        Widget
	lines         []series
	start, end    time.Time
	width, height float64
	top           float64
	svg           strings.Builder
}

// draw returns the graph as SVG.
func (g *graph) draw() string {
	g.top = g.highest()
	fmt.Fprintf(&g.svg, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f">`, g.width, g.height)
	g.axes()
	below := map[time.Time]float64{}
	for _, s := range g.lines {
		if s.recorded {
			g.line(s, below)
		}
	}
	g.annotations()
	g.svg.WriteString("</svg>")
	return g.svg.String()
}

// highest is the top of the y axis: a round number above all values.
func (g *graph) highest() float64 {
	top := 0.0
	stacks := map[time.Time]float64{}
	for _, s := range g.lines {
		if !s.recorded {
			continue
		}
		if g.widget.Properties.Stacked {
			for i, v := range s.values {
				if !math.IsNaN(v) {
					stacks[g.at(s, i)] += v
				}
			}
		}
		top = max(top, s.maximum())
	}
	for _, v := range stacks {
		top = max(top, v)
	}
	for _, a := range g.widget.Properties.Annotations.Horizontal {
		top = max(top, a.Value*1.05)
	}
	return ceiling(top)
}

// ceiling is the next number that a quarter of is easily read.
func ceiling(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, factor := range []float64{1, 1.2, 1.6, 2, 3, 4, 6, 8, 10} {
		if v <= factor*unit {
			return factor * unit
		}
	}
	return 10 * unit
}

func (g *graph) at(s series, i int) time.Time { return g.start.Add(time.Duration(i) * s.period) }

// x is the place of a value: the middle of its period.
func (g *graph) x(s series, i int) float64 {
	middle := (float64(i) + 0.5) * s.period.Seconds() / g.end.Sub(g.start).Seconds()
	return marginLeft + min(1, middle)*(g.width-marginLeft-marginRight)
}

func (g *graph) y(v float64) float64 {
	return g.height - marginBottom - v/g.top*(g.height-marginTop-marginBottom)
}

func (g *graph) text(x, y float64, anchor, color, text string) {
	fmt.Fprintf(&g.svg, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`, x, y, anchor, html.EscapeString(color), html.EscapeString(text))
}

func (g *graph) axes() {
	for i := range 5 {
		v := g.top * float64(i) / 4
		fmt.Fprintf(&g.svg, `<path class="grid" d="M%.1f %.1fH%.1f"/>`, marginLeft, g.y(v), g.width-marginRight)
		g.text(marginLeft-6, g.y(v)+4, "end", "#666", number(v))
	}
	hours := g.end.Sub(g.start).Hours()
	// A label takes some 60 pixels; the last one would not fit.
	step := max(1, math.Ceil(hours*60/(g.width-marginLeft-marginRight)))
	for h := 0.0; h < hours; h += step {
		x := marginLeft + h/hours*(g.width-marginLeft-marginRight)
		g.text(x, g.height-5, "middle", "#666", g.start.Add(time.Duration(h*float64(time.Hour))).Format("15:04"))
	}
}

// line draws a line, or an area on top of those below it.
func (g *graph) line(s series, below map[time.Time]float64) {
	var upper, lower []string
	flush := func() {
		switch {
		case len(upper) == 0:
		case g.widget.Properties.Stacked && len(upper) > 1:
			for i, j := 0, len(lower)-1; i < j; i, j = i+1, j-1 {
				lower[i], lower[j] = lower[j], lower[i]
			}
			fmt.Fprintf(&g.svg, `<path d="M%sL%sZ" fill="%s" fill-opacity="0.55"/>`, strings.Join(upper, "L"), strings.Join(lower, "L"), html.EscapeString(s.color))
			fallthrough
		case len(upper) > 1:
			fmt.Fprintf(&g.svg, `<path class="line" d="M%s" stroke="%s"/>`, strings.Join(upper, "L"), html.EscapeString(s.color))
		default:
			x, y, _ := strings.Cut(upper[0], " ")
			fmt.Fprintf(&g.svg, `<circle cx="%s" cy="%s" r="2.5" fill="%s"/>`, x, y, html.EscapeString(s.color))
		}
		upper, lower = nil, nil
	}
	for i, v := range s.values {
		if math.IsNaN(v) {
			flush()
			continue
		}
		base := 0.0
		if g.widget.Properties.Stacked {
			base = below[g.at(s, i)]
			below[g.at(s, i)] += v
		}
		upper = append(upper, fmt.Sprintf("%.1f %.1f", g.x(s, i), g.y(base+v)))
		lower = append(lower, fmt.Sprintf("%.1f %.1f", g.x(s, i), g.y(base)))
	}
	flush()
}

func (g *graph) annotations() {
	for _, a := range g.widget.Properties.Annotations.Horizontal {
		fmt.Fprintf(&g.svg, `<path class="limit" d="M%.1f %.1fH%.1f" stroke="%s"/>`, marginLeft, g.y(a.Value), g.width-marginRight, html.EscapeString(a.Color))
		g.text(g.width-marginRight-2, g.y(a.Value)+12, "end", a.Color, a.Label)
	}
}

// number writes a value as briefly as an axis needs.
func number(v float64) string {
	switch size := math.Abs(v); {
	case size >= 1e6:
		return trim(v/1e6) + "M"
	case size >= 1e4:
		return trim(v/1e3) + "k"
	case size >= 1 || size == 0:
		return trim(v)
	default:
		return fmt.Sprintf("%.2g", v)
	}
}

func trim(v float64) string {
	text := fmt.Sprintf("%.2f", v)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
