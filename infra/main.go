// Command infra is the CDK app: it writes the CloudFormation template of one
// Lorehook stack. Its context values are described at [settings].
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "infra:", err)
		os.Exit(1)
	}
}

func run() error {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	if _, err := build(app, os.Getenv); err != nil {
		return err
	}
	return dropFlagReport(*app.Synth(nil).Directory())
}

// build adds the stack that the app's context values ask for. cdk-nag will
// check it at synthesis.
func build(app awscdk.App, getenv func(name string) string) (awscdk.Stack, error) {
	s, values, err := readSettings(appContext(app), getenv)
	if err != nil {
		return nil, err
	}
	rules := &cdknag.NagPackProps{Reports: jsii.Bool(false)}
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(rules), nil)
	awscdk.Aspects_Of(app).Add(cdknag.NewServerlessChecks(rules), nil)
	if s.BundledDir, err = bundleCertificates(s, *app.Outdir()); err != nil {
		return nil, err
	}
	stack, err := newStack(app, s)
	if err != nil {
		return nil, err
	}
	// What is deployed can be read from CloudFormation, and `make deploy` prints it.
	stack.AddMetadata(jsii.String("Lorehook"), map[string]any{"Given": values.Given, "Default": values.Default})
	return stack, nil
}
