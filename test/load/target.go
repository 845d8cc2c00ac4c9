package load

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Target is a deployed stack under load, observed through its tables and
// queues, not its functions.
type Target struct {
	gitlab  *fakegitlab.Server
	content *content.Store
	ledger  *ledger.Ledger
	db      *dynamodb.Client
	sqs     *sqs.Client
	tables  config.Tables
	stack   *devstack.Stack
}

// NewTarget returns the target for a stack that copies the given GitLab.
func NewTarget(stack *devstack.Stack, gitlab *fakegitlab.Server) *Target {
	db := dynamo.New(stack.AWS, nil)
	names := stack.Outputs.Tables()
	return &Target{
		gitlab: gitlab, stack: stack, db: db, tables: names, sqs: sqs.NewFromConfig(stack.AWS),
		content: content.NewStore(db, names.Content, time.Now), ledger: ledger.New(db, names, time.Now),
	}
}

// waiting counts the messages in a queue: visible, in flight and delayed.
func (t *Target) waiting(ctx context.Context, queue string) (int, error) {
	names := []sqstypes.QueueAttributeName{
		sqstypes.QueueAttributeNameApproximateNumberOfMessages,
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := t.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: names})
	if err != nil {
		return 0, fmt.Errorf("count messages: %w", err)
	}
	sum := 0
	for _, name := range names {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			return 0, fmt.Errorf("count messages: %s is %q", name, out.Attributes[string(name)])
		}
		sum += n
	}
	return sum, nil
}

// statuses reads the runs' statuses; unclaimed runs are omitted.
func (t *Target) statuses(ctx context.Context, runs []string) (map[string]surgical.RunStatus, error) {
	keys := make([]dynamo.Item, len(runs))
	for i, id := range runs {
		keys[i] = dynamo.Item{"run_id": &types.AttributeValueMemberS{Value: id}}
	}
	items, err := dynamo.GetAll(ctx, t.db, t.tables.SyncRuns, keys)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	found := make(map[string]surgical.RunStatus, len(items))
	for _, item := range items {
		var row struct {
			RunID  string             `dynamodbav:"run_id"`
			Status surgical.RunStatus `dynamodbav:"status"`
		}
		if err := attributevalue.UnmarshalMap(item, &row); err != nil {
			return nil, fmt.Errorf("decode a run: %w", err)
		}
		found[row.RunID] = row.Status
	}
	return found, nil
}

// openRuns counts all runs that have not ended, including those that the load
// did not request. For this the local AWS reads every row.
func (t *Target) openRuns(ctx context.Context) (int, error) {
	sum := 0
	for _, status := range []surgical.RunStatus{surgical.StatusQueued, surgical.StatusRunning} {
		for _, err := range t.ledger.OpenRuns(ctx, status, time.Now().Add(time.Minute)) {
			if err != nil {
				return 0, err
			}
			sum++
		}
	}
	return sum, nil
}

// dirty counts the dirty sources.
func (t *Target) dirty(ctx context.Context) (int, error) {
	return t.scan(ctx, &dynamodb.ScanInput{TableName: &t.tables.DirtySources})
}

// openJobs counts the jobs that have not ended.
func (t *Target) openJobs(ctx context.Context) (int, error) {
	expr, err := expression.NewBuilder().WithFilter(
		expression.Name("status").In(expression.Value(surgical.JobPending), expression.Value(surgical.JobClaimed))).Build()
	if err != nil {
		return 0, fmt.Errorf("count jobs: %w", err)
	}
	return t.scan(ctx, &dynamodb.ScanInput{
		TableName: &t.tables.DependentQueue, FilterExpression: expr.Filter(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	})
}

func (t *Target) scan(ctx context.Context, in *dynamodb.ScanInput) (int, error) {
	in.Select, in.ConsistentRead = types.SelectCount, aws.Bool(true)
	pages := dynamodb.NewScanPaginator(t.db, in)
	sum := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, fmt.Errorf("count items of %s: %w", *in.TableName, err)
		}
		sum += int(page.Count)
	}
	return sum, nil
}

// deadLetters returns the runs whose messages are dead letters, and the number
// of dead letters without a run. The messages stay in the queue.
func (t *Target) deadLetters(ctx context.Context) (runs map[string]bool, unreadable int, err error) {
	const hidden = 60 // seconds: longer than reading all of them takes
	runs, url := map[string]bool{}, t.stack.Outputs["DeadLetterQueueUrl"]
	all, err := t.waiting(ctx, url)
	if err != nil {
		return nil, 0, err
	}
	for read := 0; read < all; {
		out, err := t.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: hidden})
		if err != nil {
			return nil, 0, fmt.Errorf("read dead letters: %w", err)
		}
		if len(out.Messages) == 0 {
			return runs, unreadable, fmt.Errorf("read %d of %d dead letters: another consumer is reading them", read, all)
		}
		read += len(out.Messages)
		for _, m := range out.Messages {
			if req, err := queue.Decode(aws.ToString(m.Body)); err == nil {
				runs[req.RunID] = true
			} else {
				unreadable++
			}
		}
	}
	return runs, unreadable, nil
}
