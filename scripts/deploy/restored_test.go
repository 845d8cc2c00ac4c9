package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// A table that was restored has no stream until it is given one, which has another ARN.
func TestDeploy_LetsTheFeedReadTheNewStreamOfARestoredTable(t *testing.T) {
	r := newRig(t)
	r.mustUp()
	before := r.feedReads()

	content := ""
	for name := range r.tableProtection() {
		if strings.HasPrefix(name, "lorehook-Content") {
			content = name
		}
	}
	for _, stream := range []*types.StreamSpecification{
		{StreamEnabled: aws.Bool(false)}, {StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeKeysOnly},
	} {
		if _, err := r.stack.dynamoDB.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &content, StreamSpecification: stream}); err != nil {
			t.Fatal(err)
		}
	}
	table, err := r.stack.dynamoDB.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &content})
	if err != nil {
		t.Fatal(err)
	}
	restored := aws.ToString(table.Table.LatestStreamArn)
	if restored == "" || slices.Contains(before, restored) {
		t.Fatalf("the table has the stream %q, the feed reads %v", restored, before)
	}

	r.cdk.context = append(r.cdk.context, "-c", "contentStreamArn="+restored)
	says(t, r.mustUp(), "contentStreamArn             "+restored)
	if got := r.feedReads(); !slices.Equal(got, []string{restored}) {
		t.Errorf("the feed reads %v, want %s only", got, restored)
	}

	// As a setting that was meant for the stack before this one.
	gone := strings.Replace(restored, content, "lorehook-Content-gone", 1)
	r.cdk.context = append(r.cdk.context, "-c", "contentStreamArn="+gone)
	if text, err := r.up(); err == nil || !strings.Contains(err.Error(), "Remove contentStreamArn") {
		t.Errorf("a stream of another table: %v\n%s", err, text)
	}
	r.confirmed = "lorehook"
	text, err := r.down()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	says(t, text, "remove contentStreamArn from cdk.context.json")
}

// feedReads are the streams of tables that start the feed's function.
func (r *rig) feedReads() (streams []string) {
	r.t.Helper()
	all, err := lambda.NewFromConfig(r.cfg).ListEventSourceMappings(r.t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: aws.String("lorehook-feed")})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, mapping := range all.EventSourceMappings {
		if arn := aws.ToString(mapping.EventSourceArn); strings.Contains(arn, "/stream/") {
			streams = append(streams, arn)
		}
	}
	return streams
}
