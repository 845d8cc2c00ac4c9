package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// signIn is what to do without credentials that AWS accepts.
const signIn = `sign in and choose account and region, then repeat the command:
        aws sso login --profile PROFILE   # or as your account has it
        export AWS_PROFILE=PROFILE AWS_REGION=REGION
        aws sts get-caller-identity`

// check reports an error that says what to do, unless AWS accepts the credentials of this
// process. It needs no right.
func check(ctx context.Context) error {
	// Every region gives the same answer.
	cfg, err := config.LoadDefaultConfig(ctx, config.WithDefaultRegion("us-east-1"), config.WithLogger(logging.Nop{}))
	if err != nil {
		return fmt.Errorf("AWS configuration: %w", err)
	}
	once := func(o *sts.Options) { o.Retryer = aws.NopRetryer{} }
	if _, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, once); err != nil {
		return fmt.Errorf("AWS accepts no credentials of this shell: %s\n        %w", signIn, err)
	}
	return nil
}
