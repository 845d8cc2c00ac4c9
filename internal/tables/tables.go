// Package tables defines the schema of every DynamoDB table. The stack is built
// from it, and tests create the same tables.
package tables

// Key is one attribute of a primary key or an index key.
type Key struct {
	Name string
	// Number is true for a number, false for a string.
	Number bool
}

// Index is a global secondary index. All of them project keys only, so a write
// that does not change an index key costs nothing in the index.
type Index struct {
	Name string
	Hash Key
	Sort Key
}

// Table is one table. All tables are billed on demand, expire items by
// [ExpiresAt], and have point-in-time recovery.
type Table struct {
	// Name is the logical name, used in the documentation and in logs.
	Name    string
	Hash    Key
	Sort    *Key
	Indexes []Index
	// Env is the environment variable that gives functions the deployed name.
	Env string
}

// ExpiresAt is the TTL attribute of every table. Its values are Unix seconds.
const ExpiresAt = "expires_at"

// The names of the indexes.
const (
	ContentByProject = "heads_by_project"
	ContentByUpdate  = "heads_by_update"
	RunsByProject    = "runs_by_project"
	RunsByStatus     = "runs_by_status"
	RunsToSweep      = "runs_to_sweep"
	EntitiesByEntity = "runs_by_entity"
)

func str(name string) Key { return Key{Name: name} }
func num(name string) Key { return Key{Name: name, Number: true} }
func ptr(k Key) *Key      { return &k }

// Content holds the copies: heads, children, documents and embeddings.
// docs/data-model.md describes the items of this and all other tables.
func Content() Table {
	return Table{Name: "content", Env: "LOREHOOK_TABLE_CONTENT", Hash: str("pk"), Sort: ptr(str("sk")), Indexes: []Index{
		{Name: ContentByProject, Hash: num("project_id"), Sort: str("entity")},
		{Name: ContentByUpdate, Hash: str("list"), Sort: str("listed")},
	}}
}

// SyncRuns has one row per run.
func SyncRuns() Table {
	return Table{Name: "sync_runs", Env: "LOREHOOK_TABLE_SYNC_RUNS", Hash: str("run_id"), Indexes: []Index{
		{Name: RunsByProject, Hash: num("project_id"), Sort: num("created_at")},
		{Name: RunsByStatus, Hash: str("status"), Sort: num("created_at")},
		{Name: RunsToSweep, Hash: str("sweep"), Sort: num("sweep_after")},
	}}
}

// SyncRunEntities has one row per target of a run.
func SyncRunEntities() Table {
	return Table{Name: "sync_run_entities", Env: "LOREHOOK_TABLE_SYNC_RUN_ENTITIES", Hash: str("run_id"), Sort: ptr(str("target")), Indexes: []Index{
		{Name: EntitiesByEntity, Hash: str("entity"), Sort: num("updated_at")},
	}}
}

// DirtySources lists what changed and has no current documents or embeddings yet.
func DirtySources() Table {
	return Table{Name: "dirty_sources", Env: "LOREHOOK_TABLE_DIRTY_SOURCES", Hash: str("entity"), Sort: ptr(str("dirty_id"))}
}

// DependentQueue holds the docs and embed jobs of all runs.
func DependentQueue() Table {
	return Table{Name: "dependent_queue", Env: "LOREHOOK_TABLE_DEPENDENT_QUEUE", Hash: str("scope_run_id"), Sort: ptr(str("job_id"))}
}

// State holds checkpoints, and the pause after a 429.
func State() Table {
	return Table{Name: "state", Env: "LOREHOOK_TABLE_STATE", Hash: str("name")}
}

// Projects has the row of each project and its passes; under project_id 0, what
// concerns all projects.
func Projects() Table {
	return Table{Name: "projects", Env: "LOREHOOK_TABLE_PROJECTS", Hash: num("project_id"), Sort: ptr(str("item"))}
}

// Feed has the change feeds, one under each hash key. Number 0 is the feed's counter.
func Feed() Table {
	return Table{Name: "feed", Env: "LOREHOOK_TABLE_FEED", Hash: str("feed"), Sort: ptr(num("number"))}
}

// All returns every table.
func All() []Table {
	return []Table{Content(), SyncRuns(), SyncRunEntities(), DirtySources(), DependentQueue(), State(), Projects(), Feed()}
}
