package secret_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/token"
)

// vault is a Secrets Manager whose secret and error the test controls.
type vault struct {
	mu    sync.Mutex
	text  string
	err   error
	reads int
}

func (v *vault) GetSecretValue(context.Context, *awsapi.GetSecretValueInput) (*awsapi.GetSecretValueOutput, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reads++
	if v.err != nil {
		return nil, v.err
	}
	return &awsapi.GetSecretValueOutput{Text: v.text}, nil
}

func (v *vault) set(text string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.text, v.err = text, err
}

func newSource(v *vault, now *time.Time) *secret.Source[string] {
	return secret.NewSource(secret.FromManager(func() secret.Reader { return v }, "sample", token.Access), func() time.Time { return *now })
}

func TestSourceGet_ReadsOnFirstUseAndKeepsTheValue(t *testing.T) {
	v, now := &vault{text: "token-one\n"}, time.Unix(1000, 0)
	s := newSource(v, &now)
	if v.reads != 0 {
		t.Error("read before it was needed")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := s.Get(t.Context()); got != "token-one" || err != nil {
				t.Errorf("Get = %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	now = now.Add(surgical.SecretRefreshAge - time.Nanosecond)
	if _, err := s.Get(t.Context()); err != nil || v.reads != 1 {
		t.Errorf("%d reads, error %v", v.reads, err)
	}
}

func TestSourceRefresh_ReadsAtMostOnceInTenSeconds(t *testing.T) {
	v, now := &vault{text: "token-one"}, time.Unix(1000, 0)
	s := newSource(v, &now)
	if _, err := s.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.text = "token-two"
	steps := []struct {
		after time.Duration
		want  string
		read  bool
	}{{9 * time.Second, "token-one", false}, {time.Second, "token-two", true}, {9999 * time.Millisecond, "token-two", false}, {time.Millisecond, "token-two", true}, {-time.Hour, "token-two", true}}
	for i, step := range steps {
		now = now.Add(step.after)
		got, read, err := s.Refresh(t.Context())
		if got != step.want || read != step.read || err != nil {
			t.Errorf("step %d: Refresh = %q, %v, %v, want %q, %v", i, got, read, err, step.want, step.read)
		}
	}
}

// The first delivery with a new token may come while the tokens are just being read
// in the background, and must not be refused for that.
func TestSourceRefresh_ReadsAlthoughTheBackgroundDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, now := &vault{text: "token-one"}, time.Unix(1000, 0)
		s := newSource(v, &now)
		if _, err := s.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(surgical.SecretRefreshAge)
		v.set("token-two", nil)
		if got, err := s.Get(t.Context()); got != "token-one" || err != nil {
			t.Errorf("Get = %q, %v", got, err)
		}
		if got, read, err := s.Refresh(t.Context()); got != "token-two" || !read || err != nil {
			t.Errorf("Refresh = %q, %v, %v", got, read, err)
		}
		synctest.Wait()
	})
}

// A process that was frozen during a reading finds its connection broken.
func TestSource_DoesNotReportAReadingThatWasFrozen(t *testing.T) {
	for frozen, reports := range map[time.Duration]int{time.Second: 1, time.Hour: 0} {
		now := time.Unix(1000, 0)
		reported := 0
		s := secret.NewSource(func(context.Context) (string, error) {
			now = now.Add(frozen)
			return "", errors.New("connection reset")
		}, func() time.Time { return now }).OnFailure(func(context.Context, error) { reported++ })
		if _, err := s.Get(t.Context()); err == nil || reported != reports {
			t.Errorf("frozen for %v: %v, %d reports, want %d", frozen, err, reported, reports)
		}
	}
}

func TestSourceRefresh_KeepsThePreviousValueOnFailure(t *testing.T) {
	v, now := &vault{text: "token-one"}, time.Unix(1000, 0)
	s := newSource(v, &now)
	if _, err := s.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.err = errors.New("throttled")
	now = now.Add(time.Minute)
	if _, read, err := s.Refresh(t.Context()); read || err == nil {
		t.Errorf("Refresh = %v, %v, want the failure", read, err)
	}
	if got, err := s.Get(t.Context()); got != "token-one" || err != nil {
		t.Errorf("Get = %q, %v, want the previous value", got, err)
	}
	if _, _, err := s.Refresh(t.Context()); err != nil || v.reads != 2 {
		t.Errorf("%d reads, error %v: a failed read counts too", v.reads, err)
	}
}

func TestSourceGet_RetriesAFailedFirstReadAfterASecond(t *testing.T) {
	v, now := &vault{text: "token-one", err: errors.New("throttled")}, time.Unix(1000, 0)
	s := newSource(v, &now)
	for range 3 {
		if _, err := s.Get(t.Context()); err == nil {
			t.Fatal("Get succeeded")
		}
	}
	if v.reads != 1 {
		t.Errorf("%d reads within a second", v.reads)
	}
	v.err, now = nil, now.Add(time.Second)
	if got, err := s.Get(t.Context()); got != "token-one" || err != nil {
		t.Errorf("Get = %q, %v", got, err)
	}
}

// A frozen process cannot keep a promise by a timer: only the age at the moment of use
// counts.
func TestSourceGet_ForgetsARemovedValueAsItFindsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{text: "token-one"}
		s := secret.NewSource(secret.FromManager(func() secret.Reader { return v }, "sample", token.Access), time.Now)
		get := func(want string) {
			t.Helper()
			if got, err := s.Get(t.Context()); got != want || err != nil {
				t.Errorf("Get = %q, %v, want %q", got, err, want)
			}
			synctest.Wait()
		}
		get("token-one")
		v.set("token-two", nil)
		time.Sleep(surgical.SecretRefreshAge)
		get("token-one") // and reads in the background
		get("token-two")
		if v.reads != 2 {
			t.Errorf("%d reads", v.reads)
		}
		v.set("token-three", nil)
		time.Sleep(surgical.SecretMaxAge) // frozen: nothing read in the meantime
		get("token-three")
		if v.reads != 3 {
			t.Errorf("%d reads", v.reads)
		}
	})
}

func TestSourceGet_DoesNotWaitForAReadingThatWasFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan string)
		text := "token-one"
		slow := false
		s := secret.NewSource(func(context.Context) (string, error) {
			if slow {
				slow = false
				return <-answers, nil
			}
			return text, nil
		}, time.Now)
		if _, err := s.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		slow = true
		time.Sleep(surgical.SecretRefreshAge)
		if _, err := s.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the reading in the background hangs
		text = "token-two"
		time.Sleep(surgical.SecretMaxAge)
		if got, err := s.Get(t.Context()); got != "token-two" || err != nil {
			t.Errorf("Get = %q, %v", got, err)
		}
		answers <- "token-one"
		synctest.Wait()
		if got, err := s.Get(t.Context()); got != "token-two" || err != nil {
			t.Errorf("a late answer brought %q back, %v", got, err)
		}
	})
}

func TestSourceGet_KeepsTheLastValueForAQuarterOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, failures := &vault{text: "token-one"}, 0
		s := secret.NewSource(secret.FromManager(func() secret.Reader { return v }, "sample", token.Access), time.Now).
			OnFailure(func(context.Context, error) { failures++ })
		if _, err := s.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.set("token-one", errors.New("throttled"))
		began := time.Now()
		for time.Since(began) < surgical.SecretOutage {
			if got, err := s.Get(t.Context()); got != "token-one" || err != nil {
				t.Fatalf("after %s: %q, %v", time.Since(began), got, err)
			}
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if got, err := s.Get(t.Context()); got != "" || err == nil || !strings.Contains(err.Error(), "throttled") {
			t.Errorf("after %s: %q, %v", time.Since(began), got, err)
		}
		if most := int(surgical.SecretOutage / surgical.SecretInterval); failures < most/2 || failures > most || failures != v.reads-1 {
			t.Errorf("%d failures reported of %d reads", failures, v.reads)
		}
		v.set("token-two", nil)
		time.Sleep(surgical.SecretRetryInterval)
		if got, err := s.Get(t.Context()); got != "token-two" || err != nil {
			t.Errorf("once it is back: %q, %v", got, err)
		}
	})
}

func TestSourceGet_DropsAValueThatSecretsManagerSaysIsGone(t *testing.T) {
	for name, spoil := range map[string]func(*vault){
		"deleted":   func(v *vault) { v.set("", &smithy.GenericAPIError{Code: "ResourceNotFoundException"}) },
		"scheduled": func(v *vault) { v.set("", &smithy.GenericAPIError{Code: "InvalidRequestException"}) },
		"malformed": func(v *vault) { v.set(`"sample-quoted-token"`, nil) },
		"emptied":   func(v *vault) { v.set("  ", nil) },
	} {
		v, now := &vault{text: "token-one"}, time.Unix(1000, 0)
		s := newSource(v, &now)
		if _, err := s.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		spoil(v)
		now = now.Add(surgical.SecretMaxAge)
		got, err := s.Get(t.Context())
		if got != "" || err == nil || strings.Contains(err.Error(), "sample-quoted") || !strings.Contains(err.Error(), "secret sample") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// Who may not read a secret any more does not know that it is gone.
func TestSourceGet_KeepsAValueThatItMayNotReadAgain(t *testing.T) {
	for _, code := range []string{"AccessDeniedException", "DecryptionFailure", "InternalServiceError", "ThrottlingException"} {
		v, now := &vault{text: "token-one"}, time.Unix(1000, 0)
		s := newSource(v, &now)
		if _, err := s.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.set("", &smithy.GenericAPIError{Code: code})
		now = now.Add(surgical.SecretMaxAge)
		if got, err := s.Get(t.Context()); got != "token-one" || err != nil {
			t.Errorf("%s: %q, %v", code, got, err)
		}
	}
}

func TestSourceGet_ReadsAgainWhenTheClockWasSetBack(t *testing.T) {
	v, now := &vault{text: "token-one"}, time.Unix(100_000, 0)
	s := newSource(v, &now)
	if _, err := s.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.text, now = "token-two", now.Add(-time.Hour)
	if got, err := s.Get(t.Context()); got != "token-two" || err != nil {
		t.Errorf("Get = %q, %v", got, err)
	}
}

func TestSourceGet_SurvivesAPanicOfItsClient(t *testing.T) {
	s := secret.NewSource(func(context.Context) (string, error) { panic("sample-text") }, time.Now)
	if _, err := s.Get(t.Context()); err == nil || strings.Contains(err.Error(), "sample-text") {
		t.Errorf("error %v", err)
	}
}
