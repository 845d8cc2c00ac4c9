package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// calls counts the calls to DynamoDB by table and operation.
type calls struct {
	mu sync.Mutex // guards counts
	// counts is keyed by tables and operation: "sync_runs: UpdateItem".
	counts map[string]int
}

// count counts one call by its operation and the SDK's input.
func (c *calls) count(operation string, input any) {
	var names []string
	for _, table := range tablesOf(input) {
		names = append(names, strings.TrimPrefix(table, prefix))
	}
	slices.Sort(names)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[strings.Join(slices.Compact(names), " + ")+": "+operation]++
}

func (c *calls) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = map[string]int{}
}

// total is the number of calls since the last reset.
func (c *calls) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := 0
	for _, n := range c.counts {
		sum += n
	}
	return sum
}

// group is the calls of one operation to one table, or to several at once.
type group struct {
	place string
	calls int
}

// groups returns what was counted, by table and then the most calls first.
func (c *calls) groups() []group {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []group
	for _, place := range slices.Sorted(maps.Keys(c.counts)) {
		all = append(all, group{place, c.counts[place]})
	}
	slices.SortStableFunc(all, func(a, b group) int {
		tableA, _, _ := strings.Cut(a.place, ":")
		tableB, _, _ := strings.Cut(b.place, ":")
		return cmp.Or(cmp.Compare(tableA, tableB), cmp.Compare(b.calls, a.calls))
	})
	return all
}

// tablesOf names the tables of a call, with repetitions.
func tablesOf(input any) []string {
	switch in := input.(type) {
	case *dynamodb.GetItemInput:
		return []string{*in.TableName}
	case *dynamodb.QueryInput:
		return []string{*in.TableName}
	case *dynamodb.ScanInput:
		return []string{*in.TableName}
	case *dynamodb.PutItemInput:
		return []string{*in.TableName}
	case *dynamodb.UpdateItemInput:
		return []string{*in.TableName}
	case *dynamodb.DeleteItemInput:
		return []string{*in.TableName}
	case *dynamodb.BatchGetItemInput:
		return slices.Collect(maps.Keys(in.RequestItems))
	case *dynamodb.BatchWriteItemInput:
		return slices.Collect(maps.Keys(in.RequestItems))
	case *dynamodb.TransactWriteItemsInput:
		var names []string
		for _, item := range in.TransactItems {
			names = append(names, tableOf(item))
		}
		return names
	}
	return []string{"unknown"}
}

func tableOf(item types.TransactWriteItem) string {
	switch {
	case item.Put != nil:
		return *item.Put.TableName
	case item.Update != nil:
		return *item.Update.TableName
	case item.Delete != nil:
		return *item.Delete.TableName
	case item.ConditionCheck != nil:
		return *item.ConditionCheck.TableName
	}
	return "unknown"
}
