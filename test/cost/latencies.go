package cost

import (
	"time"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// What calls are to, as keys of [Used.Calls].
const (
	toDynamoDB    = "dynamodb"
	toTransaction = "transaction"
	toSQS         = "sqs"
	toStates      = "states"
	toGitLab      = "gitlab"
	toS3          = "s3"
	toS3Get       = "s3-get"
	toS3Delete    = "s3-delete"
	ToEmbedder    = "embedder"
	toLambda      = "lambda"
)

// latencies are how long calls take, as assumed: nobody has measured them on AWS. Calls
// that are made at the same time count one after another, except the [FetchRequests] of a
// fetch, which are one round trip.
var latencies = map[string]time.Duration{
	toDynamoDB: 5 * time.Millisecond, toTransaction: 15 * time.Millisecond, toSQS: 10 * time.Millisecond,
	toStates: 30 * time.Millisecond, toGitLab: 100 * time.Millisecond, toS3: 40 * time.Millisecond,
	toS3Get: 20 * time.Millisecond, toS3Delete: 40 * time.Millisecond, ToEmbedder: 100 * time.Millisecond, toLambda: 30 * time.Millisecond,
}

// FetchRequests are those of a fetch of an entity with one page of each list. They are sent
// at the same time: make bench counts one round trip.
const FetchRequests = 5.0

// latencyOf is how long a call takes, one after another; of a fetch's calls to GitLab it
// is their share of its round trip.
func latencyOf(to string) time.Duration {
	if to == toGitLab {
		return time.Duration(float64(latencies[to]) / FetchRequests)
	}
	return latencies[to]
}

// FetchTime is how long the requests of such a fetch take.
func FetchTime() time.Duration { return latencies[toGitLab] }

// Latency returns how long a single call takes.
func Latency(call cloud.Call) time.Duration {
	if call.Operation == "TransactWriteItems" {
		return latencies[toTransaction]
	}
	return latencies[call.Service]
}

// Between returns how long Lambda takes between two batches of a queue: to delete one,
// receive the next and invoke the function.
func Between() time.Duration { return 2*latencies[toSQS] + latencies[toLambda] }

// CallTime is how long a call to DynamoDB takes that is not a transaction.
func CallTime() time.Duration { return latencies[toDynamoDB] }
