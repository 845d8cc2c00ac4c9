package console

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

//go:embed describe.md
var description string

// narrowWidget is the width in pixels below which a widget's tables become
// cards.
const narrowWidget = 620

// Widget answers the calls of a custom widget in a CloudWatch dashboard. It
// shows nothing of the content plane: whoever may see a dashboard need not be
// allowed to read issues.
type Widget struct {
	reader reader
	clock  func() time.Time
	log    *slog.Logger
	set    *template.Template
}

// NewWidget returns a widget on the ledger.
func NewWidget(l Ledger, clock func() time.Time, log *slog.Logger) (*Widget, error) {
	set, err := templates("widget.html")
	if err != nil {
		return nil, err
	}
	return &Widget{reader: reader{ledger: l}, clock: clock, log: log, set: set}, nil
}

// widgetEvent is what CloudWatch tells about the dashboard, beside the
// parameters. See "Details about custom widgets" in its user guide.
type widgetContext struct {
	Timezone struct {
		Label     string `json:"label"`
		OffsetISO string `json:"offsetISO"`
	} `json:"timezone"`
	TimeRange struct {
		timeRange
		Zoom *timeRange `json:"zoom"`
	} `json:"timeRange"`
	Theme string `json:"theme"`
	Forms struct {
		All map[string]any `json:"all"`
	} `json:"forms"`
	Width float64 `json:"width"`
}

// timeRange is in milliseconds.
type timeRange struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Handle returns HTML; to a request to describe the widget, Markdown, whose
// first YAML block CloudWatch takes as the default parameters. Bad parameters
// and an unreadable ledger become a message in the widget.
func (w *Widget) Handle(ctx context.Context, event json.RawMessage) (string, error) {
	var fields map[string]json.RawMessage
	decodeErr := json.Unmarshal(event, &fields)
	if _, ok := fields["describe"]; ok {
		return description, nil
	}
	var c widgetContext
	if raw, ok := fields["widgetContext"]; ok {
		// Whatever cannot be read keeps its default: the parameters decide.
		_ = json.Unmarshal(raw, &c)
	}
	p, err := w.parameters(fields, c)
	if decodeErr != nil {
		err = surgical.NewError(surgical.CodeInvalidRequest, "the parameters are no JSON object")
	}
	q, f := Query{View: ViewOverview}, w.frame(ctx, c, "")
	shown := page{}
	if err == nil {
		q, err = p.query()
	}
	if err == nil {
		f = w.frame(ctx, c, q.Period)
		shown, err = w.reader.page(ctx, f, q)
	}
	if err != nil {
		shown = f.problem(q, err)
	}
	for _, name := range p.unknown() {
		shown.Notices = append(shown.Notices, "The parameter "+printable(name)+" is unknown; it was ignored.")
	}
	w.logCall(ctx, q, err)
	body, err := render(w.set, document{Page: shown, Styles: styles(c)})
	return string(body), err
}

// logCall writes one line for each call; a bad parameter is its sender's.
func (w *Widget) logCall(ctx context.Context, q Query, err error) {
	attrs := []any{"view", q.View}
	if q.RunID != "" {
		attrs = append(attrs, "run_id", q.RunID)
	}
	if project := cmp.Or(q.ProjectID, q.Ref.ProjectID); project != 0 {
		attrs = append(attrs, "project_id", project)
	}
	switch code := surgical.CodeOf(err); {
	case err == nil:
		w.log.InfoContext(ctx, "widget_shown", attrs...)
	case code == surgical.CodeInvalidRequest || code == surgical.CodeRunNotFound:
		w.log.InfoContext(ctx, "widget_refused", append(attrs, "code", code)...)
	default:
		w.log.ErrorContext(ctx, "widget_failed", append(attrs, "code", code, "error", err.Error())...)
	}
}

// styles are the sheet for the dashboard's theme and the widget's width: what
// media queries ask for, the dashboard knows.
func styles(c widgetContext) template.CSS {
	sheet := baseStyle
	if c.Theme == "dark" {
		sheet += darkStyle
	}
	if c.Width > 0 && c.Width < narrowWidget {
		sheet += narrowStyle
	}
	return template.CSS(sheet)
}

// parameters are those of the widget's definition or of a link; a link of a
// form takes the form's fields as well.
func (w *Widget) parameters(fields map[string]json.RawMessage, c widgetContext) (parameters, error) {
	p, form := parameters{}, false
	var wrong []string
	for name, raw := range fields {
		switch name {
		case "widgetContext":
			continue
		case "form":
			form = string(raw) == "true"
			continue
		}
		text, ok := scalar(raw)
		if !ok {
			wrong = append(wrong, name+" must be a text or a number")
		}
		p[name] = text
	}
	if form {
		for _, name := range []string{"status", "project_id"} {
			if value, ok := c.Forms.All[name].(string); ok {
				p[name] = value
			}
		}
	}
	if len(wrong) > 0 {
		return p, surgical.NewError(surgical.CodeInvalidRequest, strings.Join(wrong, "; "))
	}
	return p, nil
}

// scalar reads a text, a number or null.
func scalar(raw json.RawMessage) (string, bool) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, true
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String(), true
	}
	return "", string(raw) == "null"
}

// frame takes time, zone and period from the dashboard; a period that is
// asked for wins.
func (w *Widget) frame(ctx context.Context, c widgetContext, asked string) frame {
	f := frame{now: w.clock(), zone: zoneOf(c)}
	if called, ok := lambdacontext.FromContext(ctx); ok {
		f.endpoint = called.InvokedFunctionArn
	}
	shown := c.TimeRange.timeRange
	if c.TimeRange.Zoom != nil {
		shown = *c.TimeRange.Zoom
	}
	chosen := periodNamed(cmp.Or(asked, "24h"))
	if asked != "" || shown.Start <= 0 || shown.End < shown.Start {
		f.period, f.made = chosen.phrase(), ledger.Span{Since: chosen.since(f.now)}
		return f
	}
	f.made = ledger.Span{Since: time.UnixMilli(shown.Start), Until: time.UnixMilli(shown.End)}
	f.period = fmt.Sprintf("from %s to %s", f.moment(f.made.Since).Text, f.moment(f.made.Until).Text)
	return f
}

// zoneOf is the dashboard's time zone, by its offset such as "+02:00".
func zoneOf(c widgetContext) *time.Location {
	at, err := time.Parse("-07:00", c.Timezone.OffsetISO)
	if err != nil {
		return time.UTC
	}
	_, offset := at.Zone()
	return time.FixedZone("", offset)
}
