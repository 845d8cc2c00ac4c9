package cli_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// frozen is the table that scripts rely on: entries may be added, never changed.
func frozen() map[string]int {
	return map[string]int{
		"ok": 0, "internal": 1, "invalid_request": 2,
		"project_not_allowed": 10, "invalid_signature": 11, "payload_too_large": 12,
		"gitlab_unauthorized": 20, "gitlab_forbidden": 21, "gitlab_not_found": 22, "gitlab_rate_limited": 23, "gitlab_unavailable": 24, "gitlab_timeout": 25, "entity_too_large": 26,
		"surgical_preflight_failed": 30, "ingest_failed": 31, "docs_failed": 32, "embed_failed": 33, "aborted_by_peer": 34, "run_cancelled": 35, "run_lost": 36, "backfill_incomplete": 37, "checkpoint_outdated": 38,
		"queue_unavailable": 40, "run_not_found": 41, "entity_not_found": 42, "conflict": 43, "entity_gone": 44, "project_unknown": 45, "backfill_not_found": 46, "feed_restarted": 47, "index_not_ready": 48, "dependency_unavailable": 49,
		"api_unavailable": 50, "api_forbidden": 51, "wait_timeout": 52, "hook_unhealthy": 53, "output_failed": 54, "run_ambiguous": 55, "check_failed": 56, "interrupted": 130,
	}
}

func TestExitCodes_AreNeverChangedAndNeverShared(t *testing.T) {
	e, _ := newProgram(t).robot("help", "exit-codes")
	var data struct {
		ExitCodes []struct {
			Exit  int    `json:"exit"`
			Code  string `json:"code"`
			About string `json:"about"`
		} `json:"exit_codes"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	got, used := map[string]int{}, map[int]string{}
	for _, c := range data.ExitCodes {
		if other, taken := used[c.Exit]; taken || c.About == "" {
			t.Errorf("%+v shares its exit code with %q, or says nothing", c, other)
		}
		got[c.Code], used[c.Exit] = c.Exit, c.Code
	}
	if diff := cmp.Diff(frozen(), got); diff != "" {
		t.Errorf("(-frozen +listed):\n%s", diff)
	}
	golden(t, "exit_codes.txt", newProgram(t).run("help", "exit-codes").out)
}

func TestExitCodes_CoverEveryCodeOfTheDomain(t *testing.T) {
	have := frozen()
	codes := 0
	file, err := parser.ParseFile(token.NewFileSet(), "../surgical/code.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok {
			if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Code" {
				code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if _, known := have[code]; err != nil || !known {
					t.Errorf("%s (%s) has no exit code", spec.Names[0], code)
				}
				if c := surgical.Code(code); !slices.Contains(surgical.Codes(), c) || c.Means() == "" {
					t.Errorf("%s is not among surgical.Codes, or means nothing", code)
				}
				codes++
			}
		}
		return true
	})
	if codes < 22 {
		t.Errorf("only %d codes were found", codes)
	}
}
