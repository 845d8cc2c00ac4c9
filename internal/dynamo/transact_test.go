package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// answered is an error as the SDK gives it: the operation's, of a response.
func answered(operation string, cause error) error {
	return &smithy.OperationError{ServiceID: "DynamoDB", OperationName: operation, Err: &awshttp.ResponseError{
		RequestID: "REQUEST",
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest}}, Err: cause,
		},
	}}
}

// cancelled is a cancelled transaction with these reasons, in the order of its
// items; "" leaves the code out.
func cancelled(codes ...string) error {
	var reasons []types.CancellationReason
	for _, code := range codes {
		reason := types.CancellationReason{}
		if code != "" {
			reason.Code = aws.String(code)
		}
		reasons = append(reasons, reason)
	}
	return answered("TransactWriteItems", &types.TransactionCanceledException{
		Message: aws.String(fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons %v", codes)), CancellationReasons: reasons,
	})
}

const (
	none, failed, conflict = "None", "ConditionalCheckFailed", "TransactionConflict"
	throttled, invalid     = "ThrottlingError", "ValidationError"
	collection             = "ItemCollectionSizeLimitExceeded"
)

func TestRefusalsContendedInvalidThrottledAndConflicted_OfEveryAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		err       error
		refusals  []int
		contended bool
		invalid   bool
		condition bool
		throttled bool
		conflict  bool
	}{
		"success":                        {nil, nil, false, false, false, false, false},
		"one condition failed":           {cancelled(none, failed, none), []int{1}, true, false, false, false, false},
		"two conditions failed":          {cancelled(failed, "", failed), []int{0, 2}, true, false, false, false, false},
		"a conflict":                     {cancelled(none, conflict), nil, true, false, false, false, true},
		"a condition and a conflict":     {cancelled(failed, conflict), nil, true, false, false, false, true},
		"a condition and a throttle":     {cancelled(failed, throttled), nil, false, false, false, true, false},
		"a throttle":                     {cancelled(none, throttled), nil, false, false, false, true, false},
		"provisioned throughput":         {cancelled("ProvisionedThroughputExceeded"), nil, false, false, false, true, false},
		"invalid":                        {cancelled(none, invalid), nil, false, true, false, false, false},
		"invalid and a condition":        {cancelled(failed, invalid), nil, false, true, false, false, false},
		"a collection that is too large": {cancelled(collection), nil, false, true, false, false, false},
		"an unknown reason":              {cancelled("Mystery"), nil, false, false, false, false, false},
		"no reasons":                     {cancelled(), nil, true, false, false, false, false},
		"a single write's condition": {answered("PutItem", &types.ConditionalCheckFailedException{Message: aws.String("The conditional request failed")}),
			nil, false, false, true, false, false},
		"a single write that met a transaction": {answered("UpdateItem", &types.TransactionConflictException{}), nil, false, false, false, false, true},
		"a request that is invalid": {answered("PutItem", &smithy.GenericAPIError{Code: "ValidationException", Message: "Item size has exceeded the maximum allowed size"}),
			nil, false, true, false, false, false},
		"throttled":       {answered("PutItem", &types.ThrottlingException{}), nil, false, false, false, true, false},
		"a broken server": {answered("PutItem", &types.InternalServerError{}), nil, false, false, false, false, false},
		"no answer":       {&smithy.OperationError{ServiceID: "DynamoDB", OperationName: "PutItem", Err: context.DeadlineExceeded}, nil, false, false, false, false, false},
	} {
		for _, err := range []error{c.err, wrapped(c.err)} {
			if got := dynamo.Refusals(err); !slices.Equal(got, c.refusals) {
				t.Errorf("%s: refusals %v, want %v", name, got, c.refusals)
			}
			if got := dynamo.Contended(err); got != c.contended {
				t.Errorf("%s: contended %v", name, got)
			}
			if got := dynamo.Invalid(err); got != c.invalid {
				t.Errorf("%s: invalid %v", name, got)
			}
			if got := dynamo.Throttled(err); got != c.throttled {
				t.Errorf("%s: throttled %v", name, got)
			}
			if got := dynamo.Conflicted(err); got != c.conflict {
				t.Errorf("%s: conflicted %v", name, got)
			}
			if got := dynamo.IsConditionFailed(err); got != c.condition {
				t.Errorf("%s: condition failed %v", name, got)
			}
		}
	}
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write: %w", err)
}

// put is a transaction of one item that does not exist yet.
func put(tb *table) []types.TransactWriteItem {
	return []types.TransactWriteItem{{Put: &types.Put{
		TableName: &tb.name, Item: keyOf(1),
		ConditionExpression: new("attribute_not_exists(#pk)"), ExpressionAttributeNames: map[string]string{"#pk": "pk"},
	}}}
}

func TestTransact_SendsConflictsAndThrottlesAgain(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		answer error
		times  int // how often it comes; then the transaction is let through
		calls  int
		fails  bool
		took   time.Duration
	}{
		"success":                          {nil, 0, 1, false, 0},
		"one conflict":                     {cancelled(conflict), 1, 2, false, 20 * time.Millisecond},
		"six conflicts":                    {cancelled(none, conflict), 6, 7, false, (20 + 40 + 80 + 160 + 320 + 640) * time.Millisecond},
		"conflicts without end":            {cancelled(conflict), 100, 7, true, (20 + 40 + 80 + 160 + 320 + 640) * time.Millisecond},
		"a failed condition":               {cancelled(failed), 1, 1, true, 0},
		"a failed condition, and conflict": {cancelled(failed, conflict), 1, 2, false, 20 * time.Millisecond},
		"throttled":                        {cancelled(none, throttled), 1, 2, false, 20 * time.Millisecond},
		"throttled, and a condition":       {cancelled(failed, throttled), 1, 2, false, 20 * time.Millisecond},
		"throttled by the table":           {cancelled("ProvisionedThroughputExceeded", none), 1, 2, false, 20 * time.Millisecond},
		"throttled as a request":           {answered("TransactWriteItems", &types.ThrottlingException{}), 1, 2, false, 20 * time.Millisecond},
		"throttled, and invalid":           {cancelled(throttled, invalid), 1, 1, true, 0},
		"throttled without end":            {cancelled(throttled), 100, 10, true, (20 + 40 + 80 + 160 + 320 + 640 + 1280 + 2000 + 2000) * time.Millisecond},
		"invalid":                          {cancelled(invalid), 1, 1, true, 0},
		"broken":                           {broken, 1, 1, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			tb := newTable()
			tb.around = func(_ any, send func() (any, error)) (any, error) {
				if len(tb.calls) <= c.times {
					return nil, c.answer
				}
				return send()
			}
			began := time.Now()
			err := dynamo.Transact(t.Context(), tb.client, put(tb))
			if c.fails != (err != nil) || c.fails && !errors.Is(err, c.answer) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); len(tb.calls) != c.calls || !paused(took, c.took) {
				t.Errorf("%s: %d calls in %v, want %d in half to all of %v", name, len(tb.calls), took, c.calls, c.took)
			}
			if stored := len(tb.db.Items(tb.name)) == 1; stored == c.fails {
				t.Errorf("%s: stored %v", name, stored)
			}
		})
	}
}

// paused reports whether the pauses between tries took between half and all of the
// longest time that they may take.
func paused(took, longest time.Duration) bool { return took >= longest/2 && took <= longest }

// What was throttled together must not return together.
func TestTransact_PausesForRandomTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pauses := map[time.Duration]bool{}
		for range 20 {
			tb := newTable()
			tb.around = func(_ any, send func() (any, error)) (any, error) {
				if len(tb.calls) == 1 {
					return nil, cancelled(throttled)
				}
				return send()
			}
			began := time.Now()
			if err := dynamo.Transact(t.Context(), tb.client, put(tb)); err != nil {
				t.Fatal(err)
			}
			pauses[time.Since(began)] = true
		}
		if len(pauses) < 15 {
			t.Errorf("20 throttled transactions paused for %d different times", len(pauses))
		}
	})
}

// Under sustained throttling a function waits as long as it can, and keeps the
// time that it needs to hand its work on.
func TestTransactAndPutAll_WaitOutAThrottleAndKeepAReserve(t *testing.T) {
	for name, send := range map[string]func(ctx context.Context, tb *table) error{
		"Transact": func(ctx context.Context, tb *table) error { return dynamo.Transact(ctx, tb.client, put(tb)) },
		"PutAll": func(ctx context.Context, tb *table) error {
			return dynamo.PutAll(ctx, tb.client, tb.name, items(1, 10))
		},
	} {
		for throttled, passes := range map[time.Duration]bool{85 * time.Second: true, time.Hour: false} {
			synctest.Test(t, func(t *testing.T) {
				tb := newTable()
				began := time.Now()
				tb.around = func(_ any, send func() (any, error)) (any, error) {
					if time.Since(began) < throttled {
						return nil, answered("X", &types.ProvisionedThroughputExceededException{})
					}
					return send()
				}
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				err := send(ctx, tb)
				left := 100*time.Second - time.Since(began)
				if passes && err != nil || !passes && !dynamo.Throttled(err) {
					t.Errorf("%s, throttled for %v: %v", name, throttled, err)
				}
				if left < surgical.ThrottleReserve || !passes && left > surgical.ThrottleReserve+3*time.Second {
					t.Errorf("%s, throttled for %v: %v are left", name, throttled, left)
				}
			})
		}
	}
}

func TestTransact_EndsWithItsContextAndSaysWhatItMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		tb.around = func(any, func() (any, error)) (any, error) { return nil, cancelled(conflict) }
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Millisecond)
		defer cancel()
		if err := dynamo.Transact(ctx, tb.client, put(tb)); !dynamo.Contended(err) || len(tb.calls) != 2 {
			t.Errorf("%d calls, %v", len(tb.calls), err)
		}
	})
}

func TestTransact_RefusedByTheEngine(t *testing.T) {
	tb := newTable()
	if err := dynamo.Transact(t.Context(), tb.client, put(tb)); err != nil {
		t.Fatal(err)
	}
	if err := dynamo.Transact(t.Context(), tb.client, put(tb)); !slices.Equal(dynamo.Refusals(err), []int{0}) {
		t.Errorf("the second time: %v", err)
	}
}

// DynamoDB Local answers without a checksum; AWS does not.
func TestNew_ChecksChecksumsOnAWSOnly(t *testing.T) {
	for endpoint, disabled := range map[string]bool{"": false, "http://127.0.0.1:4566": true} {
		cfg := aws.Config{Region: "eu-central-1"}
		if endpoint != "" {
			cfg.BaseEndpoint = &endpoint
		}
		if got := dynamo.New(cfg, nil).Options().DisableValidateResponseChecksum; got != disabled {
			t.Errorf("endpoint %q: checksums ignored %v", endpoint, got)
		}
	}
}
