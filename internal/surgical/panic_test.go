package surgical_test

import (
	"errors"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func crash(kind string) (err error) {
	defer surgical.Recover(&err)
	var none []string
	switch kind {
	case "index":
		_ = none[len(kind)]
	case "value":
		panic("the text of an issue")
	case "error":
		return errors.New("an ordinary failure")
	}
	return nil
}

func TestRecover_TurnsAPanicIntoAPermanentFailureWithoutItsValue(t *testing.T) {
	for kind, want := range map[string]string{"index": "runtime.boundsError", "value": "string"} {
		err := crash(kind)
		var failure *surgical.Error
		var p *surgical.Panic
		if !errors.As(err, &failure) || failure.Code != surgical.CodeInternal || failure.Retryable || failure.Action != surgical.ActionContactOperator {
			t.Fatalf("%s: error %v", kind, err)
		}
		if !errors.As(err, &p) || p.Kind != want {
			t.Fatalf("%s: cause %v, want a %s", kind, err, want)
		}
		if len(p.Stack) == 0 || !strings.Contains(p.Stack[0], "surgical_test.crash") {
			t.Errorf("%s: the stack does not begin where it panicked: %q", kind, p.Stack)
		}
		if strings.Contains(err.Error(), "the text of an issue") {
			t.Errorf("%s: the value leaked: %v", kind, err)
		}
	}
}

func TestRecover_KeepsAnOrdinaryResult(t *testing.T) {
	if err := crash("error"); err == nil || err.Error() != "an ordinary failure" {
		t.Errorf("error %v", err)
	}
	if err := crash(""); err != nil {
		t.Errorf("error %v", err)
	}
}
