package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"gitlab.com/lorehook/lorehook/internal/awsretry"
)

// signIn is what to do without credentials that AWS accepts.
const signIn = `sign in and choose account and region, then repeat the command:
        aws sso login --profile PROFILE   # or as your account has it
        export AWS_PROFILE=PROFILE AWS_REGION=REGION
        aws sts get-caller-identity`

// check reports an error that says what to do, unless AWS accepts the credentials of this
// process. It needs no right.
func check(ctx context.Context) error {
	// Without a region, one of most accounts': all of them answer alike. Accounts in China
	// and in GovCloud are known in their own regions only, which their users choose anyway.
	cfg, err := config.LoadDefaultConfig(ctx, config.WithDefaultRegion("us-east-1"), config.WithLogger(logging.Nop{}), config.WithRetryer(awsretry.Standard))
	if err != nil {
		return fmt.Errorf("AWS configuration: %w", err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return unaccepted(err)
	}
	_, err = sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if _, answered := errors.AsType[smithy.APIError](err); answered {
		return unaccepted(err)
	}
	if err != nil {
		return fmt.Errorf("AWS cannot be reached: %w", err)
	}
	return nil
}

func unaccepted(err error) error {
	return fmt.Errorf("AWS accepts no credentials of this shell: %s\n        %w", signIn, err)
}
