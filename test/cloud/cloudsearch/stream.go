package cloudsearch

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// Stream has the keys of the content table's items that were written: what the table's
// stream delivers to the feed.
type Stream struct {
	Table string

	mu      sync.Mutex // guards records
	records []events.DynamoDBEventRecord
}

// Around is for [cloud.Intercept].
func (s *Stream) Around(_ context.Context, call cloud.Call, send func() error) error {
	err := send()
	if err != nil {
		return err
	}
	switch in := call.Input.(type) {
	case *dynamodb.PutItemInput:
		s.wrote(*in.TableName, in.Item)
	case *dynamodb.UpdateItemInput:
		s.wrote(*in.TableName, in.Key)
	case *dynamodb.DeleteItemInput:
		s.wrote(*in.TableName, in.Key)
	case *dynamodb.BatchWriteItemInput:
		for table, requests := range in.RequestItems {
			for _, r := range requests {
				if r.PutRequest != nil {
					s.wrote(table, r.PutRequest.Item)
				} else {
					s.wrote(table, r.DeleteRequest.Key)
				}
			}
		}
	case *dynamodb.TransactWriteItemsInput:
		for _, item := range in.TransactItems {
			switch {
			case item.Put != nil:
				s.wrote(*item.Put.TableName, item.Put.Item)
			case item.Update != nil:
				s.wrote(*item.Update.TableName, item.Update.Key)
			case item.Delete != nil:
				s.wrote(*item.Delete.TableName, item.Delete.Key)
			}
		}
	}
	return nil
}

func (s *Stream) wrote(table string, item map[string]types.AttributeValue) {
	if table != s.Table {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, record(text(item["pk"]), text(item["sk"])))
}

func text(value types.AttributeValue) string {
	s, ok := value.(*types.AttributeValueMemberS)
	if !ok {
		return fmt.Sprint(value)
	}
	return s.Value
}

// Take returns the records since the last call.
func (s *Stream) Take() []events.DynamoDBEventRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	records := s.records
	s.records = nil
	return records
}

// Beat is what the stream has if nothing changed.
func Beat() events.DynamoDBEventRecord { return record("beat", "beat") }

func record(pk, sk string) events.DynamoDBEventRecord {
	return events.DynamoDBEventRecord{EventSource: "aws:dynamodb", Change: events.DynamoDBStreamRecord{Keys: map[string]events.DynamoDBAttributeValue{
		"pk": events.NewStringAttribute(pk), "sk": events.NewStringAttribute(sk),
	}}}
}

// Event is what the feed is invoked with.
func Event(records []events.DynamoDBEventRecord) (json.RawMessage, error) {
	return json.Marshal(events.DynamoDBEvent{Records: records})
}
