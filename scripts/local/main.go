// Command local runs Lorehook on this machine: a local AWS, deployed from the
// project's own template, and a GitLab to copy from. `make help` shows the way
// to it.
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
	Up     upCommand     `cmd:"" help:"Start the stack in the background; what is so already is left alone."`
	Down   downCommand   `cmd:"" help:"Stop what up started, and nothing else."`
	Demo   demoCommand   `cmd:"" help:"Start the stack, deliver sample webhooks to it, and check what came of each."`
	Status statusCommand `cmd:"" help:"Say what runs and where."`
	Send   sendCommand   `cmd:"" help:"Sign a payload, deliver it to the stack, and follow its run."`
	Logs   logsCommand   `cmd:"" help:"Print what the functions logged."`
	Load   loadCommand   `cmd:"" help:"Send many events through a stack of its own, and compare what comes of them with GitLab."`
	Build  buildCommand  `cmd:"" help:"Compile the functions."`
}

// place is where everything stands.
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
			fmt.Fprintln(os.Stderr, "       make does the set-up: make up, make demo")
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
	AWS bool `name:"aws" help:"For AWS (Linux on arm64) and not for this machine."`
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

// relative shortens a path for people.
func (p *place) relative(path string) string {
	if short, err := filepath.Rel(p.root, path); err == nil {
		return short
	}
	return path
}
