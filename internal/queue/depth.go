package queue

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Depth returns about how many messages of the queue wait, which could be received now,
// or could be but for others of their group; and how many were received, and are being
// processed or hidden until a later time. Those that are delayed do not count.
func Depth(ctx context.Context, client *sqs.Client, queueURL string) (waiting, received int, err error) {
	names := []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible}
	out, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queueURL, AttributeNames: names})
	if err != nil {
		return 0, 0, fmt.Errorf("count the messages of %s: %w", queueURL, err)
	}
	for i, count := range []*int{&waiting, &received} {
		if *count, err = strconv.Atoi(out.Attributes[string(names[i])]); err != nil {
			return 0, 0, fmt.Errorf("count the messages of %s: %w", queueURL, err)
		}
	}
	return waiting, received, nil
}
