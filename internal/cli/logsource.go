package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/smithy-go"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

const (
	// maxLogLines is how many lines of a function are read at a time.
	maxLogLines = 10_000
	// logReaders is how many functions are read at a time: an account may call
	// FilterLogEvents a few times a second.
	logReaders = 4
)

// logSource is the log groups of a stack's functions.
type logSource struct {
	client *cloudwatchlogs.Client
	// groups are the names of the groups, by function.
	groups map[string]string
}

// logs finds the log groups of the chosen API's stack. CloudFormation generates their
// names from the stack's and those in infra, on AWS and in the emulator each in its way.
func (s *session) logs(ctx context.Context, stack, function string) (logSource, error) {
	config, err := s.awsOfLogs(ctx)
	if err != nil {
		return logSource{}, err
	}
	prefix := stack + "-"
	if config.BaseEndpoint != nil {
		prefix = "/aws/cloudformation/" + stack + "/"
	}
	if s.HTTP != nil {
		config.HTTPClient = &http.Client{Transport: s.HTTP}
	}
	source := logSource{cloudwatchlogs.NewFromConfig(config), map[string]string{}}
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(source.client, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return source, logsFailure(ctx, err)
		}
		for _, group := range page.LogGroups {
			if name := functionOf(strings.TrimPrefix(aws.ToString(group.LogGroupName), prefix)); name != "" && (function == "" || function == name) {
				source.groups[name] = *group.LogGroupName
			}
		}
	}
	if len(source.groups) == 0 {
		return source, noLogs(stack)
	}
	return source, nil
}

// functionOf returns the function that a log group is of, by the end of the group's name,
// such as worker of WorkerLogs1A2B3C4D-5E6F; "" for any other group.
func functionOf(group string) string {
	m := regexp.MustCompile(`^([A-Z][a-z]+)Logs[0-9A-F]+(-\w+)?$`).FindStringSubmatch(group)
	if m == nil || !slices.Contains(functionNames(), strings.ToLower(m[1])) {
		return ""
	}
	return strings.ToLower(m[1])
}

// awsOfLogs returns the configuration of the AWS that the chosen API is in.
func (s *session) awsOfLogs(ctx context.Context) (aws.Config, error) {
	base, _, err := s.apiBase()
	if err != nil {
		return aws.Config{}, err
	}
	if base.Scheme == "https" {
		return s.awsOf(ctx, base)
	}
	e, err := s.local()
	if err != nil {
		return aws.Config{}, err
	}
	if e.AWSEndpointURL == "" {
		return aws.Config{}, remedy(surgical.CodeInvalidRequest, advice.Step{Text: "Run it in the checkout that started the stack."},
			"the logs of %s cannot be found: .local/endpoints.json of its stack is not in this directory or above", base.Host)
	}
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &e.AWSEndpointURL,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), // the emulator's
	}, nil
}

// read returns the lines since the time that match the pattern, oldest first, and the
// functions that have more than are read.
func (l logSource) read(ctx context.Context, from time.Time, pattern string) (lines []logLine, cut []string, err error) {
	var mu sync.Mutex
	group, ctx := parallel.WithContext(ctx)
	group.SetLimit(logReaders)
	for function, name := range l.groups {
		group.Go(func() error {
			of, more, err := l.readGroup(ctx, function, name, from, pattern)
			if err != nil {
				return logsFailure(ctx, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if lines = append(lines, of...); more {
				cut = append(cut, function)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(lines, func(a, b logLine) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.function, b.function))
	})
	slices.Sort(cut)
	return lines, cut, nil
}

func (l logSource) readGroup(ctx context.Context, function, name string, from time.Time, pattern string) (lines []logLine, more bool, err error) {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &name, StartTime: aws.Int64(from.UnixMilli())}
	if pattern != "" {
		in.FilterPattern = &pattern
	}
	for pages := cloudwatchlogs.NewFilterLogEventsPaginator(l.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false, err
		}
		for _, e := range page.Events {
			if len(lines) == maxLogLines {
				return lines, true, nil
			}
			lines = append(lines, parseLog(function, aws.ToString(e.EventId), aws.ToString(e.Message), time.UnixMilli(aws.ToInt64(e.Timestamp))))
		}
	}
	return lines, false, nil
}

// logsFailure returns the typed error for a failed call to CloudWatch Logs.
func logsFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		e := surgical.WrapError(apiclient.CodeForbidden, err, fmt.Sprintf("CloudWatch Logs refused the request: %s: %s", refused.ErrorCode(), refused.ErrorMessage()))
		e.Action, e.Retryable = surgical.ActionCheckToken, false
		return e
	}
	e := surgical.WrapError(apiclient.CodeUnavailable, err, fmt.Sprintf("CloudWatch Logs is not responding: %v", err))
	e.Action, e.Retryable = surgical.ActionRetryAfter, true
	return e
}
