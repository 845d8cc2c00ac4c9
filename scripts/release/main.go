// Command release builds what is published of a version: lore for each platform, the
// functions as AWS Lambda takes them, the licences of everything they contain, a software
// bill of materials, and checksums. `make release` runs it.
//
//	release build [-p os/arch]...
//	release functions <directory of a release>
//
// Two builds of one commit with one version of Go are equal, byte for byte, wherever and
// whenever they are made.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

type commands struct {
	Build     buildCommand     `cmd:"" help:"Build a release into .build/release."`
	Functions functionsCommand `cmd:"" help:"Take the functions of a release for the next deploy."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parsed := kong.Parse(&c, kong.Name("release"), kong.Description("Releases of Lorehook."), kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := run(parsed); err != nil {
		fmt.Fprintln(os.Stderr, "\nrelease:", err)
		stop()
		os.Exit(1)
	}
}

func run(parsed *kong.Context) error {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	return parsed.Run(tree(root))
}

// tree is the directory of a checkout.
type tree string

// buildCommand builds a release.
type buildCommand struct {
	Platform []string `short:"p" help:"Build lore for this platform only, such as linux/amd64 (repeatable). The default is all six."`
	Snapshot bool     `help:"Build a commit without a tag, or a changed tree. The result is not for publishing."`
}

// Run implements the command.
func (c *buildCommand) Run(ctx context.Context, t tree) error {
	platforms, err := parsePlatforms(c.Platform)
	if err != nil {
		return err
	}
	for name, value := range buildEnvironment() {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return build(ctx, string(t), platforms, c.Snapshot, os.Stdout)
}

// functionsCommand takes the functions of a release.
type functionsCommand struct {
	Dir string `arg:"" help:"The directory with the downloaded release: its functions and its checksums."`
}

// Run implements the command.
func (c *functionsCommand) Run(ctx context.Context, t tree) error {
	version, names, err := takeFunctions(ctx, string(t), c.Dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d functions of %s in %s\n", len(names), version, devstack.LambdaDir(string(t), devstack.AWS()))
	return nil
}
