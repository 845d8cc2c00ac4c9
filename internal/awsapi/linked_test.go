package awsapi_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The clients that this package replaces would only have to be imported somewhere to be
// part of a function again.
func TestFunctionsDoNotLinkTheGeneratedClients(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "gitlab.com/lorehook/lorehook/functions/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "gitlab.com/lorehook/lorehook/internal/awsapi") {
		t.Fatal("no function uses this package: the test shows nothing")
	}
	for _, service := range []string{"sqs", "secretsmanager", "sfn", "lambda"} {
		for _, path := range linked {
			if strings.HasPrefix(path+"/", "github.com/aws/aws-sdk-go-v2/service/"+service+"/") {
				t.Errorf("%s is part of a function", path)
			}
		}
	}
}
