// Command lore operates Lorehook: it starts, follows, retries and cancels runs,
// shows stored copies, replays webhooks and manages hooks in GitLab. See
// `lore --help` and `lore help exit-codes`.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/cli/browser"
	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"gitlab.com/lorehook/lorehook/internal/cli"
	"gitlab.com/lorehook/lorehook/internal/duration"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lore:", err)
		os.Exit(1)
	}
	configDir, err := os.UserConfigDir()
	if err != nil {
		configDir = "" // without a home directory, there are no profiles
	}
	exit := cli.Run(ctx, cli.Env{
		Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr,
		Stdin: os.Stdin, StdinTerminal: isatty.IsTerminal(os.Stdin.Fd()),
		StdoutTerminal: isatty.IsTerminal(os.Stdout.Fd()), StderrTerminal: isatty.IsTerminal(os.Stderr.Fd()), Columns: columns(),
		LookupEnv: os.LookupEnv, Dir: dir, ConfigDir: configDir, Build: build(cli.Build{Version: version, Commit: commit, Date: date}, buildInfo()), Clock: time.Now, Pause: duration.Wait, NewKey: rand.Text,
		Browse: browser.OpenURL,
		AWS:    loadAWS,
	})
	stop()
	os.Exit(exit)
}

// loadAWS loads the user's configuration. The SDK logs nothing: stderr is for what lore
// says.
func loadAWS(ctx context.Context, profile, region string) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(profile), config.WithRegion(region), config.WithLogger(logging.Nop{}))
}

// columns is the width of the terminal, 0 without one.
func columns() int {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// buildInfo is nil for a program that was built without modules.
func buildInfo() *debug.BuildInfo {
	info, _ := debug.ReadBuildInfo()
	return info
}
