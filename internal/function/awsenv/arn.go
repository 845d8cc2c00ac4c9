package awsenv

import "strings"

// NameOfARN returns the last part of an ARN whose resource has no type, such as
// a queue's: lorehook-requests.fifo of
// arn:aws:sqs:eu-central-1:123456789012:lorehook-requests.fifo. Text without a
// colon is returned unchanged.
func NameOfARN(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }
