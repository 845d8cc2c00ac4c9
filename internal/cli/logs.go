package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// followLogsInterval is the time between two looks at the logs.
const followLogsInterval = 3 * time.Second

// logLevels are the levels of the functions' lines, the least severe first.
func logLevels() []string { return []string{"debug", "info", "warn", "error"} }

// functionNames are the stack's functions.
func functionNames() []string {
	return []string{"webhook", "worker", "docs", "embed", "finish", "abort", "sweeper", "crawler", "feed", "api", "widget", "indexer", "builder", "search"}
}

type logsCommand struct {
	Function string        `arg:"" optional:"" completion-predictor:"function" help:"Only this function: webhook, worker, docs, embed, finish, abort, sweeper, crawler, feed, api, widget, indexer, builder or search."`
	OfRun    string        `name:"run" placeholder:"RUN" completion-predictor:"run" help:"Only lines about this run (its id, or the beginning of it)."`
	Since    time.Duration `default:"15m" help:"How far back to go."`
	Level    string        `default:"info" completion-predictor:"level" help:"Only this level and more severe ones: debug, info, warn or error."`
	Follow   bool          `short:"f" help:"Continue to print lines until interrupted."`
	JSON     bool          `name:"json" help:"Print the lines as they were logged, one JSON document each."`
	All      bool          `help:"Also metrics and Lambda's own lines."`
	Stack    string        `default:"lorehook" placeholder:"NAME" help:"Name of the stack (setting stackName)."`
}

// Help implements [kong.HelpProvider].
func (*logsCommand) Help() string {
	return `Reads CloudWatch Logs with your AWS credentials, which need logs:DescribeLogGroups and logs:FilterLogEvents, or the logs of the local stack. Times are in UTC. At most 10,000 lines of each function are read at a time.

Examples:

    lore logs worker --since 1h --level warn

    lore logs --run m5d2x7aa

    lore logs --follow`
}

// Run implements the command.
func (c *logsCommand) Run(ctx context.Context, s *session) error {
	if err := c.check(s.robot); err != nil {
		return err
	}
	if err := c.wholeRun(ctx, s); err != nil {
		return err
	}
	source, err := s.logs(ctx, c.Stack, c.Function)
	if err != nil {
		return err
	}
	from := s.Clock().Add(-c.Since)
	lines, cut, err := source.read(ctx, from, c.pattern())
	if err != nil {
		return err
	}
	if c.Follow {
		return c.follow(ctx, s, source, from, lines)
	}
	lines = slices.DeleteFunc(lines, func(l logLine) bool { return !c.selects(l) })
	entries := make([]json.RawMessage, len(lines))
	for i, l := range lines {
		entries[i] = l.raw()
	}
	s.answer(map[string]any{"entries": entries}, func(p *printer) { c.print(p, lines) })
	for _, function := range cut {
		s.err.line("%s", paint(s.err.warn, "%s has more lines than were read: shorten --since", function))
	}
	if len(lines) == 0 && !s.robot {
		s.err.line("%s", paint(s.err.faint, "no lines since %s", moment(from)))
	}
	return nil
}

func (c *logsCommand) check(robot bool) error {
	switch {
	case c.Function != "" && !slices.Contains(functionNames(), c.Function):
		return invalid("%s", notOneOf("the function", functionNames(), c.Function))
	case !slices.Contains(logLevels(), c.Level):
		return invalid("%s", notOneOf("--level", logLevels(), c.Level))
	case c.Since <= 0:
		return invalid("--since must be positive, got %s", c.Since)
	case c.Follow && robot:
		return invalid("--follow and --robot exclude each other: one envelope has no end; --json prints lines")
	case c.OfRun != "":
		return checkRunID(c.OfRun)
	}
	return nil
}

// wholeRun replaces the beginning of a run's id.
func (c *logsCommand) wholeRun(ctx context.Context, s *session) error {
	if c.OfRun == "" {
		return nil
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	c.OfRun, err = s.runID(ctx, client, c.OfRun)
	return err
}

// pattern lets CloudWatch leave out most of what is not wanted. What it returns is
// selected once more.
func (c *logsCommand) pattern() string {
	var terms []string
	if c.OfRun != "" {
		terms = append(terms, fmt.Sprintf("$.run_id = %q", c.OfRun))
	}
	if at := slices.Index(logLevels(), c.Level); at > 1 {
		var levels []string
		for _, level := range logLevels()[at:] {
			levels = append(levels, fmt.Sprintf("$.level = %q", strings.ToUpper(level)))
		}
		terms = append(terms, "("+strings.Join(levels, " || ")+")")
	}
	if len(terms) == 0 {
		return ""
	}
	return "{ " + strings.Join(terms, " && ") + " }"
}

// selects reports whether the line is wanted. One that is not JSON has no level: the
// runtime wrote it, when the function died.
func (c *logsCommand) selects(l logLine) bool {
	if l.fields == nil {
		return c.OfRun == "" && (c.All || !l.ofLambda())
	}
	_, metric := l.fields["_aws"]
	ours := l.text("msg") != "" && !metric
	if !ours && !c.All || c.OfRun != "" && l.text("run_id") != c.OfRun {
		return false
	}
	level := slices.Index(logLevels(), strings.ToLower(l.text("level")))
	return level < 0 || level >= slices.Index(logLevels(), c.Level)
}

// follow prints lines as they come, each once.
func (c *logsCommand) follow(ctx context.Context, s *session, source logSource, from time.Time, lines []logLine) error {
	seen := map[string]time.Time{}
	for {
		var fresh []logLine
		for _, l := range lines {
			if _, known := seen[l.id]; !known && c.selects(l) {
				fresh = append(fresh, l)
			}
			seen[l.id] = l.at
		}
		c.print(s.out, fresh)
		if err := s.written(); err != nil {
			return err
		}
		if err := s.Pause(ctx, followLogsInterval); err != nil {
			return err
		}
		// CloudWatch can show lines some seconds late, and out of order.
		from = later(from, s.Clock().Add(-time.Minute))
		for id, at := range seen {
			if at.Before(from) {
				delete(seen, id)
			}
		}
		var err error
		if lines, _, err = source.read(ctx, from, c.pattern()); err != nil {
			return err
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// print prints the lines for people, or as they were logged.
func (c *logsCommand) print(p *printer, lines []logLine) {
	for _, l := range lines {
		if c.JSON {
			fmt.Fprintf(p.w, "%s\n", plaintext.JSON(l.raw()))
			continue
		}
		p.line("%s %s %s", paint(p.faint, "%s", l.at.UTC().Format("15:04:05.000")), paint(p.strong, "%-8s", l.function), p.logged(l))
	}
}

// logged returns level, message and fields of a line.
func (p *printer) logged(l logLine) safe {
	if l.fields == nil {
		return paint(p.bad, "%s", l.message)
	}
	level := l.text("level")
	colour := map[string]cell{"ERROR": {colour: p.bad}, "WARN": {colour: p.warn}}[level].colour
	text := safe(fmt.Sprintf("%-5s", plaintext.Line(level)))
	if colour != nil {
		text = paint(colour, "%-5s", level)
	}
	return text + " " + paint(p.strong, "%s", l.text("msg")) + safe(plaintext.Line(l.rest()))
}

// parse reads a line.
func parseLog(function, id, message string, at time.Time) logLine {
	l := logLine{function: function, id: id, message: strings.TrimRight(message, "\n"), at: at}
	if json.Unmarshal([]byte(l.message), &l.fields) != nil {
		l.fields = nil
	}
	return l
}

// logLine is one line of a function's log.
type logLine struct {
	function, id, message string
	at                    time.Time
	// fields are nil if the line is not a JSON object.
	fields map[string]any
}

// ofLambda reports whether Lambda wrote the line around an invocation, as text.
func (l logLine) ofLambda() bool {
	word, rest, _ := strings.Cut(l.message, " ")
	return slices.Contains([]string{"START", "END", "REPORT"}, word) && strings.HasPrefix(rest, "RequestId: ") || word == "INIT_START"
}

func (l logLine) text(field string) string {
	text, _ := l.fields[field].(string)
	return text
}

// rest returns the other fields, by name.
func (l logLine) rest() string {
	var names []string
	for name := range l.fields {
		if !slices.Contains([]string{"time", "level", "msg", "traceparent", "timestamp"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		var raw bytes.Buffer
		encoder := json.NewEncoder(&raw)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(l.fields[name]) // it was decoded from JSON
		value := strings.TrimSpace(raw.String())
		if plain, ok := l.fields[name].(string); ok && plain != "" && !strings.ContainsAny(plain, " \t\n\"") {
			value = plain
		}
		text.WriteString(" " + name + "=" + value)
	}
	return text.String()
}

// raw is the line as it was logged. Text that is not JSON becomes a document, too.
func (l logLine) raw() json.RawMessage {
	if l.fields != nil {
		return json.RawMessage(l.message)
	}
	raw, err := json.Marshal(map[string]any{"time": l.at.UTC(), "function": l.function, "text": l.message})
	if err != nil {
		return json.RawMessage(`{}`) // strings and a time always encode
	}
	return raw
}

// noLogs is the error if the stack has no log groups.
func noLogs(stack string) error {
	return surgical.NewError(surgical.CodeInvalidRequest, fmt.Sprintf("there are no logs of a stack named %q; --stack names another", stack))
}
