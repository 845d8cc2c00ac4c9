package function

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

func TestTimed_ReportsInvocationsThatTakeNearlyAsLongAsTheyMay(t *testing.T) {
	failure := errors.New("it failed")
	for name, c := range map[string]struct {
		takes   time.Duration
		limited bool
		fails   error
		slow    int
	}{
		"quick":             {time.Second, true, nil, 0},
		"just below":        {8500 * time.Millisecond, true, nil, 0},
		"beyond":            {8501 * time.Millisecond, true, nil, 1},
		"beyond, and fails": {9 * time.Second, true, failure, 1},
		"without a limit":   {time.Hour, false, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			slow := 0
			handler := timed{lambda.NewHandler(func(context.Context) (string, error) {
				time.Sleep(c.takes)
				return "done", c.fails
			}), func() { slow++ }, time.Now}
			ctx, cancel := context.WithCancel(t.Context())
			if c.limited {
				ctx, cancel = context.WithTimeout(ctx, 10*time.Second)
			}
			defer cancel()
			got, err := handler.Invoke(ctx, []byte(`{}`))
			if slow != c.slow || !errors.Is(err, c.fails) || c.fails == nil && string(got) != `"done"` {
				t.Errorf("%s: reported %d times, want %d; answered %s, %v", name, slow, c.slow, got, err)
			}
		})
	}
}
