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

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/outage"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

//go:embed describe.md
var description string

// narrowWidget is the width in pixels below which a widget shows its tables as
// cards.
const narrowWidget = 620

// Widget serves a custom widget in a CloudWatch dashboard. It shows nothing from
// the content plane, because someone who may see a dashboard is not necessarily
// allowed to read issues.
type Widget struct {
	reader reader
	clock  func() time.Time
	log    *slog.Logger
	set    *template.Template
}

// NewWidget returns a widget that shows what the ledger has of the projects that are
// allowed.
func NewWidget(l Ledger, allows func(projectID int64) bool, clock func() time.Time, log *slog.Logger) (*Widget, error) {
	set, err := templates("widget.html", "body.html", "overview.html", "entity.html")
	if err != nil {
		return nil, err
	}
	return &Widget{reader: reader{allowed{l, allows}}, clock: clock, log: log, set: set}, nil
}

// widgetContext is CloudWatch's description of the dashboard, which it sends with
// the parameters. See "Details about custom widgets" in the CloudWatch User Guide.
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

// document is the data of the widget's outermost template.
type document struct {
	Page page
	// Styles is the style sheet, which the widget embeds.
	Styles template.CSS
}

// timeRange is a time range in Unix milliseconds.
type timeRange struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Handle returns the widget's HTML. For a describe request it returns Markdown,
// whose first YAML block CloudWatch uses as the default parameters. Invalid
// parameters and an unreadable ledger are shown in the widget; the error is not nil
// only if the templates fail.
func (w *Widget) Handle(ctx context.Context, event json.RawMessage) (string, error) {
	var fields map[string]json.RawMessage
	decodeErr := json.Unmarshal(event, &fields)
	if _, ok := fields["describe"]; ok {
		return description, nil
	}
	var c widgetContext
	if raw, ok := fields["widgetContext"]; ok {
		// Ignored: unreadable members keep their defaults.
		_ = json.Unmarshal(raw, &c)
	}
	p, err := w.parameters(fields, c)
	if decodeErr != nil {
		err = surgical.NewError(surgical.CodeInvalidRequest, "the parameters are not a JSON object")
	}
	q, f := Query{View: ViewOverview}, w.frame(ctx, c, "")
	shown := page{}
	if err == nil {
		q, err = p.query()
	}
	if err == nil {
		f = w.frame(ctx, c, q.Period)
		reading, cancel := duration.Reserve(ctx, surgical.AnswerReserve)
		shown, err = w.reader.page(reading, f, q)
		cancel()
	}
	err = outage.Typed(err)
	if err != nil {
		shown = f.problem(q, err)
	}
	for _, name := range p.unknown() {
		shown.Notices = append(shown.Notices, "The parameter "+plaintext.Line(name)+" is unknown and was ignored.")
	}
	w.logCall(ctx, q, err)
	body, err := filled(w.set, document{Page: shown, Styles: styles(c)})
	return string(body), err
}

// logCall logs one line per call, as an error only if the widget itself failed.
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
	case code == surgical.CodeInvalidRequest || code == surgical.CodeRunNotFound || code == surgical.CodeProjectNotAllowed:
		w.log.InfoContext(ctx, "widget_refused", append(attrs, "code", code)...)
	default:
		w.log.ErrorContext(ctx, "widget_failed", append(attrs, "code", code, "error", err.Error())...)
	}
}

// styles returns the style sheet for the dashboard's theme and the widget's width,
// which take the place of media queries.
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

// parameters returns the parameters of the widget's definition or of a link. The
// link that submits a form adds the form's fields.
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
			wrong = append(wrong, name+" must be a string or a number")
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

// scalar decodes a string, a number or null.
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

// frame returns a frame with the dashboard's time zone and time range. A requested
// period, unless empty, overrides the time range.
func (w *Widget) frame(ctx context.Context, c widgetContext, requested string) frame {
	f := frame{now: w.clock(), zone: zoneOf(c)}
	if called, ok := lambdacontext.FromContext(ctx); ok {
		f.endpoint = called.InvokedFunctionArn
	}
	shown := c.TimeRange.timeRange
	if c.TimeRange.Zoom != nil {
		shown = *c.TimeRange.Zoom
	}
	chosen := periodNamed(cmp.Or(requested, "24h"))
	if requested != "" || shown.Start <= 0 || shown.End < shown.Start {
		f.period, f.made = chosen.phrase(), ledger.Span{Since: chosen.since(f.now)}
		return f
	}
	f.made = ledger.Span{Since: time.UnixMilli(shown.Start), Until: time.UnixMilli(shown.End)}
	f.period = fmt.Sprintf("from %s to %s", f.moment(f.made.Since).Text, f.moment(f.made.Until).Text)
	return f
}

// zoneOf returns the dashboard's time zone from its offset, such as "+02:00".
func zoneOf(c widgetContext) *time.Location {
	at, err := time.Parse("-07:00", c.Timezone.OffsetISO)
	if err != nil {
		return time.UTC
	}
	_, offset := at.Zone()
	return time.FixedZone("", offset)
}
