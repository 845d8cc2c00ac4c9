package faults

import (
	"context"
	"slices"

	"gitlab.com/lorehook/lorehook/test/cloud"
)

// Kind is a kind of failure of one call.
type Kind string

// Failures of AWS.
const (
	// ServerError is a 500; nothing was applied.
	ServerError Kind = "server_error"
	// BrokenConnection breaks the connection before the request arrives.
	BrokenConnection Kind = "broken_connection"
	// LostAnswer breaks the connection after the write was applied.
	LostAnswer Kind = "lost_answer"
	// Timeout is the context's deadline; nothing was applied.
	Timeout Kind = "timeout"
	// TimeoutApplied is the context's deadline too, but the write was applied.
	TimeoutApplied Kind = "timeout_applied"
	// ThroughputExceeded is ProvisionedThroughputExceededException: a hot
	// partition, also on demand.
	ThroughputExceeded Kind = "throughput_exceeded"
	// Throttled is ThrottlingException.
	Throttled Kind = "throttled"
	// TransactionConflict cancels a transaction because of another writer.
	TransactionConflict Kind = "transaction_conflict"
	// TransactionThrottled cancels a transaction because an item was throttled.
	TransactionThrottled Kind = "transaction_throttled"
	// TransactionInProgress is the response to a retried transaction while the
	// first request is still being processed; that one is applied.
	TransactionInProgress Kind = "transaction_in_progress"
	// IdempotentMismatch is IdempotentParameterMismatchException.
	IdempotentMismatch Kind = "idempotent_parameter_mismatch"
	// WriteConflict is TransactionConflictException: a single write conflicts
	// with a transaction.
	WriteConflict Kind = "write_conflict"
	// UnprocessedItems leaves half of a BatchWriteItem unwritten.
	UnprocessedItems Kind = "unprocessed_items"
	// UnprocessedKeys leaves half of a BatchGetItem unread.
	UnprocessedKeys Kind = "unprocessed_keys"
	// PartialPage ends a page of a Query or Scan after one item.
	PartialPage Kind = "partial_page"
	// EmptyPage is a page without items that is not the last one.
	EmptyPage Kind = "empty_page"
	// LateWrite fails, and the write lands when [Setting.Held] is released.
	LateWrite Kind = "late_write"
)

// Failures of GitLab.
const (
	Unauthorized Kind = "gitlab_401"
	Forbidden    Kind = "gitlab_403"
	NotFound     Kind = "gitlab_404"
	// TokenForbidden is a 403 for every request of the token.
	TokenForbidden Kind = "gitlab_403_token"
	// ForeignForbidden and ForeignNotFound are HTML pages of a firewall and of an
	// ingress in front of GitLab.
	ForeignForbidden Kind = "gitlab_403_foreign"
	ForeignNotFound  Kind = "gitlab_404_foreign"
	// GatewayForbidden and GatewayNotFound are refusals of an API gateway in front of
	// GitLab, in JSON.
	GatewayForbidden Kind = "gitlab_403_gateway"
	GatewayNotFound  Kind = "gitlab_404_gateway"
	// Redirected is a redirect to a maintenance page on another host.
	Redirected Kind = "gitlab_redirect"
	// StrippedHeaders leaves every header out that names a total or a next page.
	StrippedHeaders Kind = "gitlab_stripped_headers"
	// ForeignLinks puts links that are not GitLab's in front of its Link header.
	ForeignLinks Kind = "gitlab_foreign_links"
	// EmptiedList empties a list and its total.
	EmptiedList Kind = "gitlab_emptied_list"
	// RateLimited is a plain-text 429 with a Retry-After of a minute.
	RateLimited Kind = "gitlab_429"
	// RateLimitedSilent has no Retry-After.
	RateLimitedSilent Kind = "gitlab_429_silent"
	// RateLimitedLong has a Retry-After of 1,200 seconds, the longest observed.
	RateLimitedLong Kind = "gitlab_429_long"
	InternalError   Kind = "gitlab_500"
	BadGateway      Kind = "gitlab_502"
	Unavailable     Kind = "gitlab_503"
	GatewayTimeout  Kind = "gitlab_504"
	// TruncatedBody ends after half of the body.
	TruncatedBody Kind = "gitlab_truncated"
	// SlowBody stops in the middle and never continues.
	SlowBody Kind = "gitlab_slow"
	// Refused is a refused connection.
	Refused Kind = "gitlab_refused"
	// Changed changes the entity just before this request ([Setting.Change]).
	Changed Kind = "gitlab_changed"
	// OldReplica responds from a lagging replica ([Setting.Replica]).
	OldReplica Kind = "gitlab_old_replica"
)

// Kinds returns every kind.
func Kinds() []Kind {
	return []Kind{
		ServerError, BrokenConnection, LostAnswer, Timeout, TimeoutApplied, ThroughputExceeded, Throttled,
		TransactionConflict, TransactionThrottled, TransactionInProgress, IdempotentMismatch, WriteConflict,
		UnprocessedItems, UnprocessedKeys, PartialPage, EmptyPage, LateWrite,
		Unauthorized, Forbidden, NotFound, TokenForbidden, ForeignForbidden, ForeignNotFound, GatewayForbidden, GatewayNotFound, Redirected, StrippedHeaders, ForeignLinks, EmptiedList,
		RateLimited, RateLimitedSilent, RateLimitedLong,
		InternalError, BadGateway, Unavailable, GatewayTimeout, TruncatedBody, SlowBody, Refused, Changed, OldReplica,
	}
}

// Hits reports whether the call can fail in this way.
func (k Kind) Hits(call cloud.Call) bool {
	if call.Service == cloud.GitLab {
		return k.gitlabFault() != nil
	}
	dynamo := call.Service == cloud.DynamoDB
	switch k {
	case ServerError, BrokenConnection, Timeout, Throttled:
		return true
	case ThroughputExceeded:
		return dynamo
	case LostAnswer, TimeoutApplied, LateWrite:
		return call.Writes()
	case TransactionConflict, TransactionThrottled, TransactionInProgress, IdempotentMismatch:
		return call.Operation == "TransactWriteItems"
	case WriteConflict:
		return slices.Contains([]string{"PutItem", "UpdateItem", "DeleteItem"}, call.Operation)
	case UnprocessedItems:
		return batchSize(call) > 1 && call.Operation == "BatchWriteItem"
	case UnprocessedKeys:
		return batchSize(call) > 1 && call.Operation == "BatchGetItem"
	case PartialPage, EmptyPage:
		return call.Operation == "Query" || call.Operation == "Scan"
	}
	return false
}

// Do makes the call fail in this way and returns the caller's error.
func (k Kind) Do(ctx context.Context, call cloud.Call, send func() error) error {
	if do := k.gitlabFault(); do != nil {
		return do(ctx, call, send)
	}
	switch k {
	case LostAnswer:
		return after(send, connectionReset(call))
	case TimeoutApplied:
		return after(send, deadline())
	case TransactionInProgress:
		return after(send, k.refusal(call))
	case LateWrite:
		if held := settingOf(ctx).Held; held != nil {
			held.hold(call)
		}
		return deadline()
	case BrokenConnection:
		return connectionReset(call)
	case Timeout:
		return deadline()
	case UnprocessedItems:
		return unprocessedItems(call, send)
	case UnprocessedKeys:
		return unprocessedKeys(call, send)
	case PartialPage:
		return partialPage(call, send)
	case EmptyPage:
		return emptyPage(call, send)
	}
	return k.refusal(call)
}

// after applies the call and then makes it fail; a call that is rejected anyway
// fails with its own error.
func after(send func() error, failure error) error {
	if err := send(); err != nil {
		return err
	}
	return failure
}
