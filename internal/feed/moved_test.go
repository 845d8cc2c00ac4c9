package feed_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// overtaken is a world in which others take the next number before each of the first so
// many puts. It counts the puts.
func overtaken(t *testing.T, first int) (w *world, puts *int) {
	w, puts = started(t), new(int)
	w.around = func(input any, send func() (any, error)) (any, error) {
		if _, ok := input.(*dynamodb.PutItemInput); ok {
			if *puts++; *puts <= first {
				return nil, &types.ConditionalCheckFailedException{}
			}
		}
		return send()
	}
	return w, puts
}

func TestHandle_PausesBeforeItTriesTheNextNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const refused = 3
		w, puts := overtaken(t, refused)
		began := time.Now()
		w.consume(t, batch("1#issue#7 head"))
		took := time.Since(began)
		if least, most := 70*time.Millisecond, 140*time.Millisecond; took < least || took > most {
			t.Errorf("%d tries in %s, want %s to %s", *puts, took, least, most)
		}
	})
}

func TestHandle_FailsInTimeIfOthersAlwaysComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, puts := overtaken(t, 1000)
		began := time.Now()
		_, err := w.consumer.Handle(t.Context(), batch("1#issue#7 head"))
		if took := time.Since(began); !errors.Is(err, surgical.ErrMoved) || *puts != 20 || took > surgical.FeedTimeout/10 {
			t.Errorf("after %d tries and %s: %v", *puts, took, err)
		}
	})
}

func TestHandle_DoesNotPauseBeyondItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, puts := overtaken(t, 1000)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := w.consumer.Handle(ctx, batch("1#issue#7 head")); !errors.Is(err, context.DeadlineExceeded) || *puts != 1 {
			t.Errorf("after %d tries: %v", *puts, err)
		}
	})
}
