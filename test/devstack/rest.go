package devstack

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Rest keeps functions, named as "crawler", from being invoked until [Stack.Wake].
func (s *Stack) Rest(ctx context.Context, functions ...string) error {
	for _, function := range functions {
		name, err := s.function(ctx, function)
		if err != nil {
			return err
		}
		if _, err := lambda.NewFromConfig(s.AWS).PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{
			FunctionName: &name, ReservedConcurrentExecutions: aws.Int32(0),
		}); err != nil {
			return fmt.Errorf("rest %s: %w", function, err)
		}
	}
	return nil
}

// Wake ends the rest of a function.
func (s *Stack) Wake(ctx context.Context, function string) error {
	name, err := s.function(ctx, function)
	if err != nil {
		return err
	}
	if _, err := lambda.NewFromConfig(s.AWS).DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: &name}); err != nil {
		return fmt.Errorf("wake %s: %w", function, err)
	}
	return nil
}

// Invoke runs a function that is otherwise run by a schedule, and waits until it has
// ended. Its error says what the function reported.
func (s *Stack) Invoke(ctx context.Context, function string) error {
	name, err := s.function(ctx, function)
	if err != nil {
		return err
	}
	out, err := lambda.NewFromConfig(s.AWS).Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: []byte("{}")})
	if err != nil {
		return fmt.Errorf("invoke %s: %w", function, err)
	}
	if out.FunctionError != nil {
		return fmt.Errorf("invoke %s: %s: %s", function, *out.FunctionError, out.Payload)
	}
	return nil
}

// function returns the full name of one of the stack's functions.
func (s *Stack) function(ctx context.Context, function string) (string, error) {
	pages := lambda.NewListFunctionsPaginator(lambda.NewFromConfig(s.AWS), &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", fmt.Errorf("list the functions: %w", err)
		}
		for _, f := range page.Functions {
			if strings.Contains(strings.ToLower(*f.FunctionName), function) {
				return *f.FunctionName, nil
			}
		}
	}
	return "", fmt.Errorf("the stack has no function %s", function)
}
