package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cdk runs the pinned CDK CLI, with the credentials of this process.
type cdk struct {
	bin string
	// dir is where it runs; the cdk.json and cdk.context.json there are used.
	dir string
	// app is the compiled ./infra, and assembly where it writes.
	app, assembly string
	// context is -c name=value, as often as needed.
	context []string
	out     io.Writer
}

func (c cdk) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, c.bin, append([]string{"--no-notices", "--no-version-reporting", "--ci"}, args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "CDK_DISABLE_CLI_TELEMETRY=true", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1")
	cmd.Stdout, cmd.Stderr = c.out, c.out // no standard input: it never asks
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cdk %s: %w", args[0], err)
	}
	return nil
}

// synth writes the assembly and returns what is in it. protected is whether the
// stack keeps its termination protection.
func (c cdk) synth(ctx context.Context, protected bool) (assembly, error) {
	args := append([]string{"synth", "--quiet", "--app", c.app, "--output", c.assembly}, c.context...)
	if err := c.run(ctx, append(args, "--context", fmt.Sprintf("protected=%t", protected))...); err != nil {
		return assembly{}, err
	}
	return readAssembly(c.assembly)
}

func (c cdk) diff(ctx context.Context) error {
	return c.run(ctx, "diff", "--app", c.assembly)
}

// deploy deploys the assembly as it is.
func (c cdk) deploy(ctx context.Context) error {
	return c.run(ctx, "deploy", "--all", "--app", c.assembly, "--require-approval", "never")
}

func (c cdk) destroy(ctx context.Context) error {
	return c.run(ctx, "destroy", "--all", "--app", c.assembly, "--force")
}

// assembly is the one stack of a synthesized app.
type assembly struct {
	StackName       string
	Account, Region string
	Settings        struct{ Given, Default map[string]string }
}

func readAssembly(dir string) (assembly, error) {
	var manifest struct {
		Artifacts map[string]struct {
			Type        string
			Environment string
			DisplayName string
			Properties  struct{ TemplateFile, StackName string }
		}
	}
	if err := readJSON(filepath.Join(dir, "manifest.json"), &manifest); err != nil {
		return assembly{}, err
	}
	for id, artifact := range manifest.Artifacts {
		if artifact.Type != "aws:cloudformation:stack" {
			continue
		}
		a := assembly{StackName: artifact.Properties.StackName}
		if a.StackName == "" {
			a.StackName = id
		}
		a.Account, a.Region, _ = strings.Cut(strings.TrimPrefix(artifact.Environment, "aws://"), "/")
		if a.Account == "unknown-account" {
			return assembly{}, errors.New("the account is not known: " + signIn)
		}
		var template struct {
			Metadata struct {
				Lorehook *struct{ Given, Default map[string]string }
			}
		}
		if err := readJSON(filepath.Join(dir, artifact.Properties.TemplateFile), &template); err != nil {
			return assembly{}, err
		}
		if template.Metadata.Lorehook == nil {
			return assembly{}, errors.New("the template does not record its settings")
		}
		a.Settings = *template.Metadata.Lorehook
		return a, nil
	}
	return assembly{}, fmt.Errorf("no stack in %s", dir)
}

func readJSON(file string, v any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
