package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/aws/aws-sdk-go-v2/aws"
	kongcompletion "github.com/jotaen/kong-completion"

	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Env is the program's environment. All fields except HTTP and ConfigDir are required.
type Env struct {
	// Args are the command-line arguments without the program's name.
	Args           []string
	Stdout, Stderr io.Writer
	// Stdin is read only for answers to questions, and only if StdinTerminal says that
	// it is a terminal.
	Stdin         io.Reader
	StdinTerminal bool
	// StdoutTerminal and StderrTerminal report whether colour and transient lines
	// may be used.
	StdoutTerminal, StderrTerminal bool
	// Columns is the width of the terminal, 0 if it is not known.
	Columns   int
	LookupEnv func(string) (string, bool)
	// Dir is the working directory.
	Dir string
	// ConfigDir is where the user's configuration files are, or "" if there is no such
	// directory.
	ConfigDir string
	Build
	Clock func() time.Time
	// Pause waits for the duration, or returns the context's error.
	Pause func(context.Context, time.Duration) error
	// NewKey returns a new Idempotency-Key.
	NewKey func() string
	// Browse opens a URL in the user's browser.
	Browse func(url string) error
	// HTTP is the transport for all requests; nil means [http.DefaultTransport].
	HTTP http.RoundTripper
	// AWS loads the user's AWS configuration. profile and region replace those of the
	// environment, unless they are empty.
	AWS func(ctx context.Context, profile, region string) (aws.Config, error)
}

// Build says which program this is. Commit and Date are empty if they are not
// known.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	// Date is the commit's, in RFC 3339.
	Date string `json:"date,omitempty"`
}

// String is the version, with what is known of its commit.
func (b Build) String() string {
	var known []string
	if b.Commit != "" {
		known = append(known, "commit "+b.Commit)
	}
	if b.Date != "" {
		known = append(known, b.Date)
	}
	if len(known) == 0 {
		return b.Version
	}
	return b.Version + " (" + strings.Join(known, ", ") + ")"
}

func (e Env) lookup(name string) string {
	value, _ := e.LookupEnv(name)
	return value
}

// exited is the panic value with which kong exits, for --help and completion.
type exited int

// Run runs the program and returns its exit code. It never panics. Without arguments it
// prints its help.
func Run(ctx context.Context, env Env) int {
	out := &output{Writer: env.Stdout}
	env.Stdout = out
	if len(env.Args) == 0 {
		env.Args = []string{"--help"}
	}
	exit := run(ctx, env)
	if out.err != nil && exit == 0 {
		fmt.Fprintln(env.Stderr, plaintext.Text(fmt.Sprintf("lore: %s: the output could not be written: %v", CodeOutputFailed, out.err)))
		return exitOf(CodeOutputFailed)
	}
	return exit
}

// output remembers that something could not be written.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// written returns the error if the output could not be written, for commands that would
// otherwise go on without an end.
func (s *session) written() error {
	if out, ok := s.Stdout.(*output); ok && out.err != nil {
		return surgical.WrapError(CodeOutputFailed, out.err, "the output could not be written: "+out.err.Error())
	}
	return nil
}

func run(ctx context.Context, env Env) (exit int) {
	s := &session{Env: env, began: env.Clock(), robot: robotWanted(env.Args)}
	s.out = newPrinter(env.Stdout, env.StdoutTerminal && s.colourful(), s.width(env.StdoutTerminal))
	s.err = newPrinter(env.Stderr, env.StderrTerminal && s.colourful(), s.width(env.StderrTerminal))
	var said bytes.Buffer
	defer func() {
		if r := recover(); r != nil {
			code, ok := r.(exited)
			if !ok {
				p := surgical.PanicOf(r)
				fmt.Fprintf(s.Stderr, "lore: panic: %s\n%s\n", p.Kind, strings.Join(p.Stack, "\n"))
				exit = s.finish(ctx, surgical.NewError(surgical.CodeInternal, "lore crashed; the stack trace is on stderr"))
				return
			}
			exit = s.said(said.String(), int(code))
		}
	}()
	return s.finish(ctx, s.run(ctx, &said))
}

// said prints the text that kong wrote before it exited.
func (s *session) said(text string, code int) int {
	if !s.robot {
		fmt.Fprint(s.Stdout, plaintext.Text(text))
		return code
	}
	if s.data == nil { // a command did not answer by itself
		s.answer(map[string]string{"text": text}, nil)
	}
	s.envelope(nil, errorDetails{})
	return code
}

func (s *session) run(ctx context.Context, said io.Writer) error {
	c := &commands{}
	parser, err := newParser(c,
		kong.Writers(said, s.Stderr), kong.Exit(func(code int) { panic(exited(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: s.out.helpWidth()}))
	if err != nil {
		return err
	}
	if s.lookup("COMP_LINE") != "" {
		kongcompletion.Register(parser, kongcompletion.WithPredictors(s.predictors(ctx)))
	}
	if flag := emptyFlag(s.Args); flag != "" {
		return usage(fmt.Errorf("%s: expected a value, got %q", flag, ""))
	}
	parsed, err := parser.Parse(joinNegatives(s.Args))
	if err != nil {
		return usage(err)
	}
	s.globals, s.command = c.globals, called(chosenCommand(parsed))
	return parsed.Run()
}

// newParser returns a parser of the command line.
func newParser(c *commands, options ...kong.Option) (*kong.Kong, error) {
	parser, err := kong.New(c, append(options, kong.Name("lore"), kong.Description(description))...)
	if err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	return parser, nil
}

// usage returns the error for an invalid command line, with the help to consult.
func usage(err error) error {
	var p *kong.ParseError
	hint := "lore"
	if errors.As(err, &p) && p.Context != nil {
		hint = called(chosenCommand(p.Context))
	}
	return surgical.NewError(surgical.CodeInvalidRequest, plainly(err.Error())+" (see "+hint+" --help)")
}

// chosenCommand is the command that the arguments name, or else the program.
func chosenCommand(parsed *kong.Context) *kong.Node {
	if command := parsed.Selected(); command != nil {
		return command
	}
	return parsed.Model.Node
}

// called is how a command is called, without its arguments.
func called(command *kong.Node) string {
	var names []string
	for node := command; node != nil; node = node.Parent {
		names = append(names, node.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, " ")
}

// robotWanted looks for --robot before the arguments are parsed, so that even an
// invalid command line gets an envelope.
func robotWanted(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.ContainsFunc(args, func(arg string) bool {
		value, given := strings.CutPrefix(arg, "--robot=")
		// The same values that kong accepts.
		return arg == "--robot" || given && slices.Contains([]string{"true", "1", "yes"}, strings.ToLower(value))
	})
}

// emptyFlag returns a flag with an empty value, which kong would treat as unset. A
// script whose id is empty by mistake must not list all runs.
func emptyFlag(args []string) string {
	for i, arg := range args {
		if arg == "--" {
			return ""
		}
		if name, empty := strings.CutSuffix(arg, "="); empty && strings.HasPrefix(name, "--") {
			return name
		}
		if i > 0 && arg == "" && strings.HasPrefix(args[i-1], "-") && !strings.Contains(args[i-1], "=") {
			return args[i-1]
		}
	}
	return ""
}

// joinNegatives joins negative numbers to the flag before them. Otherwise kong
// would treat them as flags, and the error would not name the number.
func joinNegatives(args []string) []string {
	takers := map[string]string{"-p": "--project", "--project": "--project", "--issue": "--issue", "--mr": "--mr", "--limit": "--limit"}
	var joined []string
	for i := 0; i < len(args); i++ {
		long, takes := takers[args[i]]
		if takes && i+1 < len(args) && negative(args[i+1]) {
			joined = append(joined, long+"="+args[i+1])
			i++
			continue
		}
		joined = append(joined, args[i])
	}
	return joined
}

func negative(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && arg[1] >= '0' && arg[1] <= '9'
}
