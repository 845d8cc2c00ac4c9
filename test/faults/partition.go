package faults

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/test/cloud"
)

// Partitions gives each partition key of one table 1,000 write units a second,
// whatever the table takes, as DynamoDB does. A write passes as long as its key
// has units left and may leave a debt, which later writes wait out. Time is that
// of the bubble.
type Partitions struct {
	// Table is the limited table; Rate and Burst are units a second, and the most
	// that a key saves up.
	Table       string
	Rate, Burst float64
	// Clock is the time; nil means that of the bubble.
	Clock func() time.Time

	mu   sync.Mutex
	keys map[string]*bucket

	// Throttled counts the throttled requests by operation, Units the units that
	// were written.
	Throttled map[string]int
	Units     float64
}

type bucket struct {
	left float64
	at   time.Time
}

// Around implements [cloud.Around].
func (p *Partitions) Around(_ context.Context, call cloud.Call, send func() error) error {
	switch in := call.Input.(type) {
	case *dynamodb.BatchWriteItemInput:
		return p.batch(in, call, send)
	case *dynamodb.TransactWriteItemsInput:
		if i := p.refused(in); i >= 0 {
			return cancelledBy(i, len(in.TransactItems))
		}
	case *dynamodb.UpdateItemInput:
		if *in.TableName == p.Table && !p.take("UpdateItem", map[string]float64{partitionOf(in.Key): 1}) {
			return &types.ProvisionedThroughputExceededException{Message: aws.String("throttled")}
		}
	}
	return send()
}

// batch sends what the partitions take of a batch of puts. The rest comes back
// unprocessed; if that is everything, DynamoDB fails the request.
func (p *Partitions) batch(in *dynamodb.BatchWriteItemInput, call cloud.Call, send func() error) error {
	taken, left := map[string][]types.WriteRequest{}, map[string][]types.WriteRequest{}
	for table, requests := range in.RequestItems {
		for _, r := range requests {
			item := r.PutRequest.Item
			units := map[string]float64{partitionOf(item): float64(dynamo.WriteUnits(dynamo.ItemSize(item)))}
			if table != p.Table || p.take("BatchWriteItem", units) {
				taken[table] = append(taken[table], r)
			} else {
				left[table] = append(left[table], r)
			}
		}
	}
	if len(taken) == 0 {
		return &types.ProvisionedThroughputExceededException{Message: aws.String("throttled")}
	}
	call.Replace(&dynamodb.BatchWriteItemInput{RequestItems: taken})
	if err := send(); err != nil {
		return err
	}
	if len(left) > 0 {
		call.Answer(&dynamodb.BatchWriteItemOutput{UnprocessedItems: left})
	}
	return nil
}

// refused returns the index of the item whose partition throttles the
// transaction, or -1. A transaction costs twice what single writes cost.
func (p *Partitions) refused(in *dynamodb.TransactWriteItemsInput) int {
	units, last := map[string]float64{}, -1
	for i, item := range in.TransactItems {
		switch {
		case item.Put != nil && *item.Put.TableName == p.Table:
			units[partitionOf(item.Put.Item)] += 2 * float64(dynamo.WriteUnits(dynamo.ItemSize(item.Put.Item)))
		case item.Delete != nil && *item.Delete.TableName == p.Table:
			units[partitionOf(item.Delete.Key)] += 2
		case item.ConditionCheck != nil && *item.ConditionCheck.TableName == p.Table:
			units[partitionOf(item.ConditionCheck.Key)] += 2
		default:
			continue
		}
		last = i
	}
	if p.take("TransactWriteItems", units) {
		return -1
	}
	return last
}

// take takes the units from every key, or none if a key has nothing left.
func (p *Partitions) take(operation string, units map[string]float64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil {
		p.keys, p.Throttled = map[string]*bucket{}, map[string]int{}
	}
	for key := range units {
		if p.refill(key).left <= 0 {
			p.Throttled[operation]++
			return false
		}
	}
	for key, n := range units {
		p.keys[key].left -= n
		p.Units += n
	}
	return true
}

func (p *Partitions) refill(key string) *bucket {
	now := time.Now()
	if p.Clock != nil {
		now = p.Clock()
	}
	b := p.keys[key]
	if b == nil {
		b = &bucket{left: p.Burst, at: now}
		p.keys[key] = b
	}
	b.left, b.at = min(p.Burst, b.left+p.Rate*now.Sub(b.at).Seconds()), now
	return b
}

func partitionOf(item dynamo.Item) string {
	pk, _ := item["pk"].(*types.AttributeValueMemberS)
	if pk == nil {
		return ""
	}
	return pk.Value
}

// cancelledBy is a transaction of n items that the i-th throttled.
func cancelledBy(i, n int) error {
	reasons := make([]types.CancellationReason, n)
	for j := range reasons {
		reasons[j].Code = aws.String("None")
	}
	reasons[i] = types.CancellationReason{Code: aws.String("ThrottlingError"), Message: aws.String("throttled")}
	return &types.TransactionCanceledException{Message: aws.String("Transaction cancelled"), CancellationReasons: reasons}
}
