// Package tables holds the schema of every DynamoDB table in one place: the
// stack is built from it, and tests create the same tables from it.
package tables

// Key is one attribute of a primary or index key.
type Key struct {
	Name string
	// Number is false for a string.
	Number bool
}

// Index is a global secondary index. All are keys-only: a write that does not
// move an item within an index costs the index nothing.
type Index struct {
	Name string
	Hash Key
	Sort Key
}

// Table is one table. All bill on demand, expire items by [ExpiresAt], and
// recover to a point in time.
type Table struct {
	// Name is the logical name, the one used in documents and logs.
	Name    string
	Hash    Key
	Sort    *Key
	Indexes []Index
	// Env is the environment variable that tells a function the real name.
	Env string
}

// ExpiresAt is the TTL attribute of every table, in Unix seconds.
const ExpiresAt = "expires_at"

// Names of the indexes.
const (
	ContentByProject = "heads_by_project"
	RunsByProject    = "runs_by_project"
	RunsByStatus     = "runs_by_status"
	RunsToSweep      = "runs_to_sweep"
	EntitiesByEntity = "runs_by_entity"
)

func str(name string) Key { return Key{Name: name} }
func num(name string) Key { return Key{Name: name, Number: true} }
func ptr(k Key) *Key      { return &k }

// Content holds the copies: heads, children, documents, embeddings. See
// docs/data-model.md for the items of this and all other tables.
func Content() Table {
	return Table{Name: "content", Env: "LOREHOOK_TABLE_CONTENT", Hash: str("pk"), Sort: ptr(str("sk")), Indexes: []Index{
		{Name: ContentByProject, Hash: num("project_id"), Sort: str("entity")},
	}}
}

// SyncRuns holds a row for each run.
func SyncRuns() Table {
	return Table{Name: "sync_runs", Env: "LOREHOOK_TABLE_SYNC_RUNS", Hash: str("run_id"), Indexes: []Index{
		{Name: RunsByProject, Hash: num("project_id"), Sort: num("created_at")},
		{Name: RunsByStatus, Hash: str("status"), Sort: num("created_at")},
		{Name: RunsToSweep, Hash: str("sweep"), Sort: num("sweep_after")},
	}}
}

// SyncRunEntities holds a row for each target of a run.
func SyncRunEntities() Table {
	return Table{Name: "sync_run_entities", Env: "LOREHOOK_TABLE_SYNC_RUN_ENTITIES", Hash: str("run_id"), Sort: ptr(str("target")), Indexes: []Index{
		{Name: EntitiesByEntity, Hash: str("entity"), Sort: num("updated_at")},
	}}
}

// DirtySources holds what changed and has no current documents and embeddings yet.
func DirtySources() Table {
	return Table{Name: "dirty_sources", Env: "LOREHOOK_TABLE_DIRTY_SOURCES", Hash: str("entity"), Sort: ptr(str("dirty_id"))}
}

// DependentQueue holds the docs and embed jobs of each run.
func DependentQueue() Table {
	return Table{Name: "dependent_queue", Env: "LOREHOOK_TABLE_DEPENDENT_QUEUE", Hash: str("scope_run_id"), Sort: ptr(str("job_id"))}
}

// State holds checkpoints and the pause after a 429.
func State() Table {
	return Table{Name: "state", Env: "LOREHOOK_TABLE_STATE", Hash: str("name")}
}

// All returns every table.
func All() []Table {
	return []Table{Content(), SyncRuns(), SyncRunEntities(), DirtySources(), DependentQueue(), State()}
}
