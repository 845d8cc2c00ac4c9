package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// streamARN is the ARN of a stream of a table.
func streamARN(table, label string) string {
	return "arn:aws:dynamodb:us-east-1:123456789012:table/" + table + "/stream/" + label
}

// stackWith is a stack whose content table, lorehook-Content, has the stream.
func stackWith(t *testing.T, stream string) cloud {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB") {
			fmt.Fprintf(w, `{"Table":{"TableName":"lorehook-Content","LatestStreamArn":%q}}`, stream)
			return
		}
		fmt.Fprint(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>lorehook</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-30T06:00:00Z</CreationTime>`+
			`<Outputs><member><OutputKey>FeedTable</OutputKey><OutputValue>lorehook-Feed</OutputValue></member><member><OutputKey>ContentTable</OutputKey><OutputValue>lorehook-Content</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
	}))
	t.Cleanup(server.Close)
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	return cloud{
		stack: "lorehook", cloudFormation: cloudformation.NewFromConfig(cfg),
		dynamoDB: dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.DisableValidateResponseChecksum = true }),
	}
}

func TestCheckStream_AcceptsTheStreamOfTheContentTable(t *testing.T) {
	own := streamARN("lorehook-Content", "2026-11-30T06:00:00.000")
	for _, given := range []string{"", own} {
		if err := stackWith(t, own).checkStream(t.Context(), given); err != nil {
			t.Errorf("%q: %v", given, err)
		}
	}
}

func TestCheckStream_SaysWhatToDoIfTheFeedReadsAnotherStream(t *testing.T) {
	own := streamARN("lorehook-Content", "2026-11-30T06:00:00.000")
	for name, c := range map[string]struct{ given, own, says string }{
		"a table of a deleted stack":    {streamARN("lorehook-Content-OLD", "2026-11-30T06:00:00.000"), own, own},
		"the table before it was lost":  {streamARN("lorehook-Content", "2026-11-01T06:00:00.000"), own, own},
		"a table that has no stream":    {own, "", "the table's stream: none"},
		"a table whose name is similar": {streamARN("lorehook-Content2", "2026-11-30T06:00:00.000"), own, own},
	} {
		err := stackWith(t, c.own).checkStream(t.Context(), c.given)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		says(t, err.Error(), "Remove contentStreamArn", "cdk.context.json", "lorehook-Content", "docs/restoring.md", "make deploy", c.given, c.says)
	}
}
