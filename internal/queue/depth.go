package queue

import (
	"context"
	"fmt"
	"strconv"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
)

// Depth returns about how many messages of the queue wait, which could be received now,
// or could be but for others of their group; and how many were received, and are being
// processed or hidden until a later time. Those that are delayed do not count.
func Depth(ctx context.Context, client *awsapi.SQS, queueURL string) (waiting, received int, err error) {
	names := []string{awsapi.Messages, awsapi.MessagesNotVisible}
	out, err := client.GetQueueAttributes(ctx, &awsapi.GetQueueAttributesInput{QueueURL: queueURL, Names: names})
	if err != nil {
		return 0, 0, fmt.Errorf("count the messages of %s: %w", queueURL, err)
	}
	for i, count := range []*int{&waiting, &received} {
		if *count, err = strconv.Atoi(out.Attributes[names[i]]); err != nil {
			return 0, 0, fmt.Errorf("count the messages of %s: %w", queueURL, err)
		}
	}
	return waiting, received, nil
}
