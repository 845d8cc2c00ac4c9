package main

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

func TestCallsAreGroupedByTableAndOperation(t *testing.T) {
	c := &calls{}
	c.reset()
	runs, content := aws.String(prefix+"sync_runs"), aws.String(prefix+"content")
	c.count("GetItem", &dynamodb.GetItemInput{TableName: runs})
	c.count("UpdateItem", &dynamodb.UpdateItemInput{TableName: runs})
	c.count("UpdateItem", &dynamodb.UpdateItemInput{TableName: runs})
	c.count("Query", &dynamodb.QueryInput{TableName: content})
	c.count("TransactWriteItems", &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Update: &types.Update{TableName: runs}}, {Put: &types.Put{TableName: content}}, {ConditionCheck: &types.ConditionCheck{TableName: content}},
	}})
	want := []group{{"content: Query", 1}, {"content + sync_runs: TransactWriteItems", 1}, {"sync_runs: UpdateItem", 2}, {"sync_runs: GetItem", 1}}
	if diff := cmp.Diff(want, c.groups(), cmp.AllowUnexported(group{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c.total() != 5 {
		t.Errorf("%d calls in total, want 5", c.total())
	}
}
