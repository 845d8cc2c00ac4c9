package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

func TestWhy_ExplainsACopyAndItsAbsence(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.run("sync", "-p", "1", "--issue", "7", "--wait", "--idempotency-key", "why")
		got := s.run("why", "1#7")
		for _, want := range []string{"The copy is shown.", "The last run that ended", surgical.RunID(surgical.OriginManual, "why"), "documents and embeddings are current", "RUN "} {
			if !strings.Contains(got.out, want) {
				t.Errorf("no %q in\n%s%s", want, got.out, got.errors)
			}
		}
		var document struct {
			Shown     bool
			Sentences []string
			Runs      []any
			Copy      struct{ Revision int }
		}
		if text := s.run("why", "1#7", "--json").out; json.Unmarshal([]byte(text), &document) != nil || strings.Count(text, "\n") != 1 ||
			!document.Shown || document.Copy.Revision != 1 || len(document.Runs) != 1 || !strings.Contains(got.out, document.Sentences[0]) {
			t.Errorf("%s", text)
		}
		if got := s.run("why", "1!999"); got.exit != 0 || !strings.Contains(got.out, "There is no copy") {
			t.Errorf("without a copy: %+v", got)
		}
		if e, got := s.robot("why", "99#7"); got.exit != 10 || e.code() != surgical.CodeProjectNotAllowed {
			t.Errorf("outside the allow list: %s", got.out)
		}
	})
}
