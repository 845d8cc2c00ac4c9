package awsapi_test

import (
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/test/linked"
)

// The clients that this package replaces would only have to be imported somewhere to be
// part of a function again.
func TestFunctionsDoNotLinkTheGeneratedClients(t *testing.T) {
	packages := linked.Packages(t, "gitlab.com/lorehook/lorehook/functions/...")
	if !slices.Contains(packages, "gitlab.com/lorehook/lorehook/internal/awsapi") {
		t.Fatal("no function uses this package: the test shows nothing")
	}
	for _, service := range []string{"sqs", "secretsmanager", "sfn", "lambda"} {
		for _, path := range packages {
			if strings.HasPrefix(path+"/", "github.com/aws/aws-sdk-go-v2/service/"+service+"/") {
				t.Errorf("%s is part of a function", path)
			}
		}
	}
}
