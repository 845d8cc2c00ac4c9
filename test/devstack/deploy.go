package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// deploy deploys every stack of the assembly and returns their outputs.
func (c cdk) deploy(ctx context.Context, cfg aws.Config, assembly, outputsFile string) (Outputs, error) {
	_, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx,
		&cloudformation.DescribeStacksInput{StackName: aws.String("CDKToolkit")})
	if err != nil {
		if err := c.run(ctx, "bootstrap", "aws://"+AccountID+"/"+Region, "--app", assembly); err != nil {
			return nil, err
		}
	}
	if err := c.run(ctx, "deploy", "--all", "--app", assembly, "--require-approval", "never", "--outputs-file", outputsFile); err != nil {
		return nil, err
	}
	var stacks map[string]Outputs
	if err := readJSON(outputsFile, &stacks); err != nil {
		return nil, err
	}
	all := make(Outputs)
	for _, outputs := range stacks {
		for name, value := range outputs {
			all[name] = value
		}
	}
	return all, nil
}

// deployment describes what is deployed. It is stored in the local AWS itself,
// so that the two can never differ.
type deployment struct {
	Fingerprint string  `json:"fingerprint"`
	Outputs     Outputs `json:"outputs"`
}

const deploymentSecret = "lorehook-local-deployment"

// readDeployment returns what is deployed; the zero value for nothing.
func readDeployment(ctx context.Context, cfg aws.Config) (deployment, error) {
	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx,
		&secretsmanager.GetSecretValueInput{SecretId: aws.String(deploymentSecret)})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return deployment{}, nil
	}
	if err != nil {
		return deployment{}, fmt.Errorf("read what is deployed: %w", err)
	}
	var d deployment
	if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &d); err != nil {
		return deployment{}, fmt.Errorf("read what is deployed: %w", err)
	}
	return d, nil
}

func (d deployment) write(ctx context.Context, cfg aws.Config) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = putSecret(ctx, cfg, deploymentSecret, string(b))
	return err
}

// putSecret sets the secret's value, creates the secret if necessary, and
// reports whether the value changed.
func putSecret(ctx context.Context, cfg aws.Config, id, value string) (changed bool, err error) {
	client := secretsmanager.NewFromConfig(cfg)
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err == nil && aws.ToString(out.SecretString) == value {
		return false, nil
	}
	_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &value})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		_, err = client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &id, SecretString: &value})
	}
	if err != nil {
		return false, fmt.Errorf("put secret %s: %w", id, err)
	}
	return true, nil
}
