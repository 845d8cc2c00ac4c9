package cost

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/cloud"
)

// tally counts calls.
type tally struct {
	mu      sync.Mutex
	counted Counted
	// changed are the items of the content table that changed, for its stream.
	changed []key
	series  map[string]bool
	keys    map[string]bool
	// passing, if set, is the clock on which each call takes its time, and consumed
	// receives the units that a call to DynamoDB consumed of a table.
	passing  *cloud.Clock
	consumed func(call cloud.Call, table string, writes, reads float64)
}

type key struct{ pk, sk string }

// take returns what was counted since the last call.
func (t *tally) take() Counted {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.counted
	all.Series, all.Keys = float64(len(t.series)), float64(len(t.keys))
	t.counted, t.series, t.keys = Counted{Functions: map[string]Used{}}, map[string]bool{}, map[string]bool{}
	return all
}

func (t *tally) embedded(ctx context.Context, characters int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counted.Characters += float64(characters)
	t.add(ctx, ToEmbedder, 0, 0)
}

// emitted remembers which metrics a line has.
func (t *tally) emitted(line string) {
	var root map[string]any
	var header struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	if json.Unmarshal([]byte(line), &root) != nil || json.Unmarshal([]byte(line), &header) != nil {
		return
	}
	for _, d := range header.AWS.CloudWatchMetrics {
		for _, set := range d.Dimensions {
			values := ""
			for _, name := range set {
				values += fmt.Sprintf(" %s=%v", name, root[name])
			}
			for _, m := range d.Metrics {
				t.series[m.Name+values] = true
			}
		}
	}
}

// add counts one call of the process. t.mu is held.
func (t *tally) add(ctx context.Context, to string, writes, reads float64) {
	process := cloud.ProcessOf(ctx)
	if process == nil {
		return
	}
	u := t.counted.Functions[process.Function]
	if u.Calls == nil {
		u.Calls = map[string]float64{}
	}
	u.Calls[to]++
	if t.passing != nil {
		t.passing.Advance(latencyOf(to))
	}
	u.Writes, u.Reads = u.Writes+writes, u.Reads+reads
	t.counted.Functions[process.Function] = u
}

// count counts a call to anything but DynamoDB.
func (t *tally) count(ctx context.Context, call cloud.Call, send func() error) error {
	err := send()
	t.mu.Lock()
	defer t.mu.Unlock()
	to := call.Service
	switch {
	case to == toS3 && call.Operation == "GetObject", to == toS3 && call.Operation == "HeadObject":
		to = toS3Get
	case to == toS3 && call.Operation == "DeleteObjects": // free
		to = toS3Delete
	case call.Operation == "StartExecution":
		t.counted.Executions++
	}
	t.add(ctx, to, 0, 0)
	return err
}

// database counts a call to DynamoDB, with the units that it consumes.
func (t *tally) database(ctx context.Context, call cloud.Call, send func() error) error {
	writes, reads, err := Consumed(call, send)
	if t.consumed != nil && err == nil {
		all, written := capacity(call.Output())
		for _, c := range all {
			if written {
				t.consumed(call, *c.TableName, *c.CapacityUnits, 0)
			} else {
				t.consumed(call, *c.TableName, 0, *c.CapacityUnits)
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	to := toDynamoDB
	if call.Operation == "TransactWriteItems" {
		to = toTransaction
	}
	t.add(ctx, to, writes, reads)
	for _, table := range tables.All() {
		if p := cloud.ProcessOf(ctx); p != nil && call.Uses(table.Name) {
			t.keys[p.Function+" "+table.Name] = true
		}
	}
	if err == nil {
		t.changed = append(t.changed, changedBy(call)...)
	}
	return err
}

// stream takes the items that changed as a batch of the stream, or nil if there is none
// that its filter lets through.
func (t *tally) stream() json.RawMessage {
	t.mu.Lock()
	defer t.mu.Unlock()
	var records []string
	for _, k := range t.changed {
		for _, prefix := range content.StreamPrefixes() {
			if strings.HasPrefix(k.sk, prefix) {
				records = append(records, fmt.Sprintf(`{"eventSource":"aws:dynamodb","dynamodb":{"Keys":{"pk":{"S":%q},"sk":{"S":%q}}}}`, k.pk, k.sk))
			}
		}
	}
	t.changed = nil
	if len(records) == 0 {
		return nil
	}
	return json.RawMessage(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

// changedBy returns the keys of the items that a call changed in the content table.
func changedBy(call cloud.Call) (keys []key) {
	add := func(table *string, item map[string]types.AttributeValue) {
		if *table == tables.Content().Name {
			keys = append(keys, key{text(item["pk"]), text(item["sk"])})
		}
	}
	switch in := call.Input.(type) {
	case *dynamodb.PutItemInput:
		add(in.TableName, in.Item)
	case *dynamodb.UpdateItemInput:
		add(in.TableName, in.Key)
	case *dynamodb.DeleteItemInput:
		add(in.TableName, in.Key)
	case *dynamodb.BatchWriteItemInput:
		for table, writes := range in.RequestItems {
			for _, write := range writes {
				if write.PutRequest != nil {
					add(&table, write.PutRequest.Item)
				} else {
					add(&table, write.DeleteRequest.Key)
				}
			}
		}
	case *dynamodb.TransactWriteItemsInput:
		for _, item := range in.TransactItems {
			switch {
			case item.Put != nil:
				add(item.Put.TableName, item.Put.Item)
			case item.Update != nil:
				add(item.Update.TableName, item.Update.Key)
			case item.Delete != nil:
				add(item.Delete.TableName, item.Delete.Key)
			}
		}
	}
	return keys
}

func text(value types.AttributeValue) string {
	s, _ := value.(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}
