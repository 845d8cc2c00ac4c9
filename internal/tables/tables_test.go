package tables_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/tables"
)

func describe(t tables.Table) string {
	key := func(k tables.Key) string {
		if k.Number {
			return k.Name + ":N"
		}
		return k.Name + ":S"
	}
	s := t.Name + " " + key(t.Hash)
	if t.Sort != nil {
		s += " " + key(*t.Sort)
	}
	for _, i := range t.Indexes {
		s += ", " + i.Name + " " + key(i.Hash) + " " + key(i.Sort)
	}
	return s
}

// A key cannot be changed once there are rows: this is what is deployed.
func TestAll_IsTheDeployedSchema(t *testing.T) {
	want := []string{
		"content pk:S sk:S, heads_by_project project_id:N entity:S, heads_by_update list:S listed:S",
		"sync_runs run_id:S, runs_by_project project_id:N created_at:N, runs_by_status status:S created_at:N, runs_to_sweep sweep:S sweep_after:N",
		"sync_run_entities run_id:S target:S, runs_by_entity entity:S updated_at:N",
		"dirty_sources entity:S dirty_id:S",
		"dependent_queue scope_run_id:S job_id:S",
		"state name:S",
		"projects project_id:N item:S",
		"feed feed:S number:N",
	}
	var got []string
	for _, table := range tables.All() {
		got = append(got, describe(table))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func TestAll_NamesAreUsedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, table := range tables.All() {
		names := []string{table.Name, table.Env}
		for _, index := range table.Indexes {
			names = append(names, index.Name)
		}
		for _, name := range names {
			if name == "" || seen[name] {
				t.Errorf("%q of %s is empty or used twice", name, table.Name)
			}
			seen[name] = true
		}
		if want := "LOREHOOK_TABLE_" + strings.ToUpper(table.Name); table.Env != want {
			t.Errorf("the variable of %s is %s, want %s", table.Name, table.Env, want)
		}
	}
}

func TestAll_IsDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "data-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables.All() {
		names := []string{table.Name}
		for _, index := range table.Indexes {
			names = append(names, index.Name)
		}
		for _, name := range names {
			if !strings.Contains(string(doc), "`"+name+"`") {
				t.Errorf("docs/data-model.md does not mention %s", name)
			}
		}
	}
	if !strings.Contains(string(doc), "`"+tables.ExpiresAt+"`") {
		t.Errorf("docs/data-model.md does not mention %s", tables.ExpiresAt)
	}
}
