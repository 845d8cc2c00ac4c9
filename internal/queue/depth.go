package queue

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Waiting returns about how many messages of the queue could be received now, or could
// be but for others of their group. Those that were received and are hidden do not count,
// nor do those that are delayed.
func Waiting(ctx context.Context, client *sqs.Client, queueURL string) (int, error) {
	const name = types.QueueAttributeNameApproximateNumberOfMessages
	out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queueURL, AttributeNames: []types.QueueAttributeName{name}})
	if err != nil {
		return 0, fmt.Errorf("count the messages of %s: %w", queueURL, err)
	}
	n, err := strconv.Atoi(out.Attributes[string(name)])
	if err != nil {
		return 0, fmt.Errorf("count the messages of %s: %w", queueURL, err)
	}
	return n, nil
}
