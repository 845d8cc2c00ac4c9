// Command local runs Lorehook on this machine: a local AWS, deployed from the
// project's own template, and a GitLab to copy from. `make help` lists the
// targets that use it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

type commands struct {
	Up     upCommand     `cmd:"" help:"Start the stack in the background. Anything already running is kept."`
	Down   downCommand   `cmd:"" help:"Stop what up started, and nothing else."`
	Demo   demoCommand   `cmd:"" help:"Start the stack, deliver sample webhooks to it, and check the results."`
	Status statusCommand `cmd:"" help:"Show what is running, and where."`
	Send   sendCommand   `cmd:"" help:"Sign a payload, deliver it to the stack, and follow its run."`
	Logs   logsCommand   `cmd:"" help:"Print the functions' logs."`
	Load   loadCommand   `cmd:"" help:"Send many events through a dedicated stack, and compare the results with GitLab."`
	Build  buildCommand  `cmd:"" help:"Compile the functions."`
}

// place is where everything is kept.
type place struct {
	root string
	// dir is .local under root.
	dir string
	out *terminal
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parsed := kong.Parse(&c, kong.Name("local"), kong.Description("Lorehook on this machine."), kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := run(parsed); err != nil {
		fmt.Fprintln(os.Stderr, "\nlocal:", err)
		if errors.Is(err, devstack.ErrNotInstalled) {
			fmt.Fprintln(os.Stderr, "       Use make up or make demo: they install what is missing.")
		}
		stop()
		os.Exit(1)
	}
}

func run(parsed *kong.Context) error {
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	return parsed.Run(&place{root: root, dir: filepath.Join(root, devstack.LocalDir), out: newTerminal(os.Stdout)})
}

// buildCommand compiles the functions.
type buildCommand struct {
	AWS bool `name:"aws" help:"Build for AWS (Linux on arm64) instead of this machine."`
}

// Run implements the command.
func (c *buildCommand) Run(ctx context.Context, p *place) error {
	platform := devstack.Host()
	if c.AWS {
		platform = devstack.AWS()
	}
	names, err := devstack.BuildLambdas(ctx, p.root, platform)
	if err != nil {
		return err
	}
	p.out.line("%d functions for %s-%s in %s", len(names), platform.OS, platform.Arch, p.relative(devstack.LambdaDir(p.root, platform)))
	return nil
}

// relative returns path relative to the project's root, for display.
func (p *place) relative(path string) string {
	if short, err := filepath.Rel(p.root, path); err == nil {
		return short
	}
	return path
}
