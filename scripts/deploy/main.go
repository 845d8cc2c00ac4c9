// Command deploy deploys the stack to AWS and deletes it again, with the CDK CLI.
// `make deploy` and `make destroy` run it.
//
//	deploy check                  whether AWS accepts the credentials
//	deploy up [-c name=value]...
//	deploy down [-c name=value]...
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/test/devstack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "\ndeploy:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("check, up or down?")
	}
	context, err := contextArguments(args[1:])
	if err != nil {
		return err
	}
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	o := &operation{
		cdk: cdk{
			bin: filepath.Join(root, devstack.LocalDir, "cdk", "node_modules", ".bin", "cdk"),
			dir: root, app: filepath.Join(root, ".build", "infra"), assembly: filepath.Join(root, ".build", "cdk.out"),
			context: context, out: os.Stdout,
		},
		in: bufio.NewReader(os.Stdin), out: os.Stdout, terminal: isatty.IsTerminal(os.Stdin.Fd()),
		confirmed: os.Getenv("CONFIRM"), clock: time.Now, wait: duration.Wait,
	}
	switch args[0] {
	case "check":
		return check(ctx)
	case "up":
		return o.up(ctx)
	case "down":
		return o.down(ctx)
	default:
		return fmt.Errorf("check, up or down, not %q", args[0])
	}
}

// contextArguments accepts context values only: any other option of the CDK would
// reach some of its commands and not others.
func contextArguments(args []string) ([]string, error) {
	for i := 0; i < len(args); i++ {
		switch {
		case (args[i] == "-c" || args[i] == "--context") && i+1 < len(args):
			i++
		case strings.HasPrefix(args[i], "--context="):
		default:
			return nil, fmt.Errorf("CDK_ARGS accepts -c name=value only, not %q; choose credentials with AWS_PROFILE", args[i])
		}
	}
	return args, nil
}

// operation is one deployment or deletion.
type operation struct {
	cdk cdk
	in  *bufio.Reader
	out io.Writer
	// terminal is whether somebody can answer at in.
	terminal bool
	// confirmed is the stack that may be deleted without asking.
	confirmed string
	clock     func() time.Time
	wait      func(context.Context, time.Duration) error
}

// inspect synthesizes the stack, and reads the state of the one that is deployed.
func (o *operation) inspect(ctx context.Context, protected bool) (assembly, cloud, state, error) {
	a, err := o.cdk.synth(ctx, protected)
	if err != nil {
		return assembly{}, cloud{}, state{}, err
	}
	c, err := connect(ctx, a)
	if err != nil {
		return assembly{}, cloud{}, state{}, err
	}
	before, err := c.state(ctx)
	return a, c, before, err
}

func (o *operation) say(format string, args ...any) { fmt.Fprintf(o.out, format+"\n", args...) }

// answer asks and returns the line that was typed.
func (o *operation) answer(question string) (string, error) {
	fmt.Fprint(o.out, question+" ")
	line, err := o.in.ReadString('\n')
	if err != nil && line == "" {
		return "", fmt.Errorf("no answer: %w", err)
	}
	return strings.TrimSpace(line), nil
}
