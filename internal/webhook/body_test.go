package webhook_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/events"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// remembering is a body that knows the memory that it was read into.
type remembering struct {
	io.Reader
	memory [][]byte
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.memory = append(r.memory, p[:n])
	return n, err
}

// overwrite does what another delivery does to a buffer that was given back.
func (r *remembering) overwrite() {
	for _, piece := range r.memory {
		copy(piece, strings.Repeat("\xff", len(piece)))
	}
}

// keptLines keeps log lines as a handler receives them.
type keptLines struct {
	slog.Handler
	lines []slog.Record
}

func (k *keptLines) Enabled(context.Context, slog.Level) bool { return true }

func (k *keptLines) Handle(_ context.Context, line slog.Record) error {
	k.lines = append(k.lines, line)
	return nil
}

func (k *keptLines) String() (text string) {
	for _, line := range k.lines {
		text += line.Message
		line.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	}
	return text
}

// What is left of a delivery is its requests, its log line, what the meter received, and
// its answer.
func TestServeHTTP_LeavesNothingThatSharesMemoryWithTheBody(t *testing.T) {
	samples, err := events.All()
	if err != nil {
		t.Fatal(err)
	}
	samples = append(samples, events.Sample{Event: "Issue Hook", Body: []byte(`{"object_kind":"issue"`)})
	queued := 0
	for _, s := range samples {
		deliver := func(after func(*remembering)) string {
			f, m, log := newFixture(), &meter{}, &keptLines{Handler: slog.DiscardHandler}
			f.Meter, f.Log = m, slog.New(log)
			body := &remembering{Reader: strings.NewReader(string(s.Body))}
			r, w := httptest.NewRequest("POST", delivery.Path, body), httptest.NewRecorder()
			r.ContentLength = int64(len(s.Body)) // so that the buffer never moves
			r.Header.Set("X-Gitlab-Event", s.Event)
			r.Header.Set("X-Gitlab-Token", secretToken)
			r.Header.Set("Idempotency-Key", "key-1")
			f.ServeHTTP(w, r)
			after(body)
			queued += len(f.queue.taken)
			return fmt.Sprintf("%+v\n%+v\n%+v\n%s\n%s", f.queue.taken, f.hides.taken, m, log, w.Body)
		}
		want, got := deliver(func(*remembering) {}), deliver((*remembering).overwrite)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s changed with the buffer of its body (-want +got):\n%s", s.Event, diff)
		}
	}
	if queued == 0 {
		t.Error("no delivery was queued")
	}
}

// interrupted are verifiers that are asked for while something else happens.
type interrupted struct {
	webhook.Verifiers
	by func()
}

func (i *interrupted) Get(ctx context.Context) (*delivery.Verifier, error) {
	if by := i.by; by != nil {
		i.by = nil
		by()
	}
	return i.Verifiers.Get(ctx)
}

func issueEvent(iid int) string {
	return fmt.Sprintf(`{"object_kind":"issue","project":{"id":1},"object_attributes":{"iid":%d}}`, iid)
}

func TestServeHTTP_SharesNoBufferWithADeliveryInBetween(t *testing.T) {
	f := newFixture()
	between := &interrupted{Verifiers: f.Verifiers}
	f.Handler.Verifiers = between
	for i := range 20 { // a pool may forget what it was given
		between.by = func() { f.answer(t, request("Issue Hook", issueEvent(2))) }
		f.queue.taken = nil
		f.answer(t, request("Issue Hook", issueEvent(1)))
		if len(f.queue.taken) != 2 || f.queue.taken[0].Targets[0].IID != 2 || f.queue.taken[1].Targets[0].IID != 1 {
			t.Fatalf("time %d: queued %+v", i, f.queue.taken)
		}
	}
}

// accepting is a queue for many at once.
type accepting struct{}

func (accepting) Send(context.Context, surgical.Request) error { return nil }

func TestServeHTTP_AnswersEachOfManyDeliveriesAtOnceForItsOwnBody(t *testing.T) {
	f := newFixture()
	f.Handler.Queue = accepting{}
	handle := gateway.Adapt(f)
	var deliveries sync.WaitGroup
	for sender := range 8 {
		deliveries.Go(func() {
			for i := range 50 {
				iid := 1 + sender*1000 + i
				padded := issueEvent(iid) + strings.Repeat(" ", iid) // so that buffers grow
				answer, err := handle(t.Context(), request("Issue Hook", padded, "idempotency-key", fmt.Sprint(iid)))
				if want := fmt.Sprintf(`"iid":%d}`, iid); err != nil || answer.StatusCode != 202 || !strings.Contains(answer.Body, want) {
					t.Errorf("issue %d: %d %s, error %v", iid, answer.StatusCode, answer.Body, err)
				}
			}
		})
	}
	deliveries.Wait()
}
