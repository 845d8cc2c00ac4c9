// Package access lists which operations of DynamoDB, SQS and Step Functions each
// function may call. The stack's roles are made of it, and the simulated cloud of
// the tests refuses every other call, as IAM does. It also lists what callers of the API
// and users of lore may do.
package access

import (
	"slices"

	"gitlab.com/lorehook/lorehook/internal/tables"
)

// The queues, and the state machine, as [Function.Allows] names them.
const (
	Requests    = "requests.fifo"
	Hides       = "hides.fifo"
	Bulk        = "bulk.fifo"
	DeadLetters = "dead-letters.fifo"
	// FeedFailures has what Lambda gave up of the stream of the content table.
	FeedFailures = "feed-failures"
	Workflow     = "workflow"
)

// The actions that are not DynamoDB's.
const (
	Send  = "sqs:SendMessage"
	Count = "sqs:GetQueueAttributes"
	Start = "states:StartExecution"
	// Invoke is also what the workflow does with its functions.
	Invoke = "lambda:InvokeFunction"
)

// Receive returns the actions that the event source mapping and the worker need
// on a queue that the worker is invoked with.
func Receive() []string {
	return []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", Count}
}

// ReadStream returns the actions that an event source mapping needs on the stream of a
// table, and ListStreams is one that takes no resource.
func ReadStream() []string {
	return []string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
}

// ListStreams belongs to [ReadStream].
const ListStreams = "dynamodb:ListStreams"

// QueryOpenSearch are the actions of search on the domain that has the index, if that is
// in OpenSearch: reads with a body are posted. IndexOpenSearch are those of indexer and builder.
func QueryOpenSearch() []string { return []string{"es:ESHttpGet", "es:ESHttpPost"} }

// IndexOpenSearch: see [QueryOpenSearch].
func IndexOpenSearch() []string {
	return []string{"es:ESHttpDelete", "es:ESHttpGet", "es:ESHttpPost", "es:ESHttpPut"}
}

// The actions on the bucket of the index, and its name as [Function.Allows] has it.
const (
	GetObject    = "s3:GetObject"
	PutObject    = "s3:PutObject"
	DeleteObject = "s3:DeleteObject"
	ListBucket   = "s3:ListBucket"
	IndexBucket  = "index"
)

// Query is the only action on an index.
const Query = "dynamodb:Query"

// Table is what a function may do with one table, and which indexes of it the
// function may query. A transaction needs the action of each of its parts.
type Table struct {
	Table   tables.Table
	Actions []string
	Indexes []string
}

// Function is what one function may do.
type Function struct {
	Tables []Table
	// Streams are the tables whose stream starts the function.
	Streams []tables.Table
	// Sends, Receives and Counts are queues. Counts are those of which the function may
	// only see how many messages they have.
	Sends, Receives, Counts []string
	// Starts reports whether the function may start executions of the workflow.
	Starts bool
	// Invokes are functions, by their names here.
	Invokes []string
	// Objects are actions on the objects of the index, and Lists reports whether the
	// function may list them.
	Objects []string
	Lists   bool
}

// on takes DynamoDB actions without their prefix.
func on(t tables.Table, actions ...string) Table {
	for i, action := range actions {
		actions[i] = "dynamodb:" + action
	}
	return Table{Table: t, Actions: actions}
}

func (t Table) by(indexes ...string) Table {
	t.Indexes = indexes
	return t
}

// Functions returns what each function may do, by its name.
func Functions() map[string]Function {
	return map[string]Function{
		"webhook": {Sends: []string{Requests, Hides}},
		"worker":  worker(),
		"docs": {
			Tables: []Table{
				on(tables.Content(), "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem"),
				on(tables.SyncRuns(), "GetItem", "UpdateItem"),
				on(tables.SyncRunEntities(), "PutItem"), // of a run that it closes
				on(tables.DirtySources(), "DeleteItem"),
				on(tables.DependentQueue(), "GetItem", "Query", "PutItem", "UpdateItem"),
				on(tables.State(), "PutItem"), // as embed, after a small change
			},
			Starts: true,
		},
		"embed": {
			Tables: []Table{
				on(tables.Content(), "BatchGetItem", "Query", "PutItem", "DeleteItem", "ConditionCheckItem"),
				on(tables.SyncRuns(), "GetItem", "UpdateItem"),
				on(tables.DirtySources(), "DeleteItem"),
				on(tables.DependentQueue(), "GetItem", "Query", "UpdateItem"),
				// It notes that the embedder works.
				on(tables.State(), "PutItem"),
			},
			Starts: true,
		},
		"finish":  closing("Query"),
		"abort":   closing("Query", "UpdateItem"),
		"sweeper": sweeper(),
		"crawler": crawler(),
		"feed": {
			Tables:  []Table{on(tables.Feed(), "GetItem", "Query", "PutItem", "UpdateItem")},
			Streams: []tables.Table{tables.Content()},
			// Lambda sends what it gave up in the function's name.
			Receives: []string{FeedFailures}, Sends: []string{FeedFailures}, Invokes: []string{"indexer"},
		},
		"api":     api(),
		"widget":  widget(),
		"indexer": indexer(),
		"builder": builder(),
		"search":  search(),
	}
}

// worker withholds DeleteItem on content: workers delete no child.
func worker() Function {
	return Function{
		Tables: []Table{
			on(tables.Content(), "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "BatchWriteItem"),
			// An attempt begins with one read of its run, the pause and the head.
			on(tables.SyncRuns(), "GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
			on(tables.SyncRunEntities(), "PutItem"),
			on(tables.DirtySources(), "Query", "PutItem", "DeleteItem"),
			// It reads no job, but merges the follow-up of an entity.
			on(tables.DependentQueue(), "GetItem", "PutItem"),
			// Versions before this read read the pause by itself: while a deployment
			// is under way, the old code runs with the new role. A commit clears the
			// marks of what it takes along.
			on(tables.State(), "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
			// It learns a project's path, and that GitLab does not show the project.
			on(tables.Projects(), "BatchGetItem", "PutItem", "UpdateItem"),
		},
		Receives: []string{Requests, Hides, Bulk}, Sends: []string{DeadLetters}, Starts: true,
	}
}

// closing is for finish and abort: they see no content. Finish changes no job,
// because it ends a run only once all of them are done.
func closing(ofJobs ...string) Function {
	return Function{Tables: []Table{
		on(tables.SyncRuns(), "GetItem", "UpdateItem"),
		on(tables.SyncRunEntities(), "PutItem"),
		on(tables.DependentQueue(), ofJobs...),
		marks(),
	}}
}

// marks is for every function that closes runs: it marks the entities of which the run
// leaves something undone.
func marks() Table { return on(tables.State(), "PutItem") }

func sweeper() Function {
	return Function{
		Tables: []Table{
			// It completes erasures: that deletes, and erases again after a restore.
			on(tables.Content(), "GetItem", "BatchGetItem", "Query", "UpdateItem", "PutItem", "DeleteItem", "ConditionCheckItem"),
			on(tables.SyncRuns(), "GetItem", "PutItem", "UpdateItem").by(tables.RunsToSweep, tables.RunsByStatus),
			on(tables.SyncRunEntities(), "PutItem"),
			// The whole table is the backlog and the work in progress. To try an embedder
			// again, it reads the rows of one entity.
			on(tables.DirtySources(), "Scan", "Query"),
			// A follow-up that is due goes, or is put off.
			on(tables.DependentQueue(), "Query", "PutItem", "UpdateItem", "DeleteItem"),
			on(tables.Projects(), "GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem"),
			// It marks what it closes, and reads when something was embedded and which
			// drains were requested.
			on(tables.State(), "GetItem", "BatchGetItem", "PutItem"),
		},
		Sends: []string{Requests, Bulk}, Starts: true,
	}
}

// crawler withholds every write of content: its runs write it.
func crawler() Function {
	return Function{
		Tables: []Table{
			on(tables.Content(), "BatchGetItem").by(tables.ContentByProject),
			// It queues runs, looks how they ended, and cancels those of a cancelled
			// pass.
			on(tables.SyncRuns(), "GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
			on(tables.SyncRunEntities(), "PutItem").by(tables.EntitiesByEntity),
			on(tables.Projects(), "GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem"),
			on(tables.State(), "GetItem", "UpdateItem"),
			// To hide a project restarts the feeds.
			on(tables.Feed(), "UpdateItem"),
		},
		Sends: []string{Bulk, Hides},
	}
}

// api may write content only to erase entities, and to lift that.
func api() Function {
	return Function{
		Tables: []Table{
			on(tables.Content(), "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem").by(tables.ContentByProject, tables.ContentByUpdate),
			on(tables.SyncRuns(), "GetItem", "BatchGetItem", "PutItem", "UpdateItem").by(tables.RunsByProject, tables.RunsByStatus),
			on(tables.SyncRunEntities(), "Query", "PutItem").by(tables.EntitiesByEntity),
			on(tables.DependentQueue(), "GetItem", "Query", "UpdateItem"),
			// It says what is undone, of one entity or in all.
			on(tables.DirtySources(), "Query", "Scan"),
			// It hides projects by request, and starts, resumes and cancels passes.
			on(tables.Projects(), "GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem"),
			on(tables.State(), "GetItem", "PutItem", "UpdateItem"),
			// To hide a project restarts the feeds.
			on(tables.Feed(), "GetItem", "Query", "UpdateItem"),
		},
		Sends: []string{Requests}, Invokes: []string{"crawler", "search", "indexer"},
		// The status says how many messages wait.
		Counts: []string{Requests, Hides, Bulk, DeadLetters, FeedFailures},
	}
}

// widget reads only the ledger: people who see the dashboard need not be allowed to
// see content.
func widget() Function {
	return Function{Tables: []Table{
		on(tables.SyncRuns(), "GetItem", "BatchGetItem").by(tables.RunsByProject, tables.RunsByStatus),
		on(tables.SyncRunEntities(), "Query", "BatchGetItem").by(tables.EntitiesByEntity),
		on(tables.DependentQueue(), "Query"),
		on(tables.DirtySources(), "Query"),
		on(tables.State(), "GetItem"),
		on(tables.Projects(), "BatchGetItem", "Query"),
	}}
}

// indexer withholds every write of content and of the ledger, and the lists of entities
// that only rebuilds need. It replaces the manifest of the index.
func indexer() Function {
	return Function{
		Tables: []Table{
			on(tables.Content(), "GetItem", "BatchGetItem", "Query"),
			on(tables.Projects(), "GetItem", "BatchGetItem"),
			on(tables.State(), "GetItem", "BatchGetItem", "PutItem"),
			on(tables.Feed(), "GetItem", "Query"),
		},
		Invokes: []string{"builder"},
		Objects: []string{GetObject, PutObject, DeleteObject}, Lists: true,
	}
}

// builder lists all entities, too.
func builder() Function {
	f := indexer()
	f.Tables[0] = on(tables.Content(), "GetItem", "BatchGetItem", "Query").by(tables.ContentByProject)
	f.Tables[1] = on(tables.Projects(), "GetItem", "BatchGetItem", "Query")
	f.Invokes = nil
	return f
}

// search only reads.
func search() Function {
	return Function{
		Tables: []Table{
			on(tables.Content(), "GetItem", "BatchGetItem"),
			on(tables.Projects(), "GetItem", "BatchGetItem"),
			on(tables.State(), "GetItem", "BatchGetItem"),
		},
		// Without the right to list, S3 answers 403 for an object that does not exist.
		Objects: []string{GetObject}, Lists: true,
	}
}

// Allows reports whether the function may do the action, such as
// dynamodb:GetItem, with a table, an index ([Index]), a queue or the workflow.
func (f Function) Allows(action, resource string) bool {
	for _, t := range f.Tables {
		if resource == t.Table.Name && slices.Contains(t.Actions, action) {
			return true
		}
		for _, index := range t.Indexes {
			if resource == Index(t.Table.Name, index) && action == Query {
				return true
			}
		}
	}
	return action == Send && slices.Contains(f.Sends, resource) ||
		slices.Contains(Receive(), action) && slices.Contains(f.Receives, resource) ||
		action == Count && slices.Contains(f.Counts, resource) ||
		action == Start && resource == Workflow && f.Starts ||
		action == Invoke && slices.Contains(f.Invokes, resource) ||
		resource == IndexBucket && (slices.Contains(f.Objects, action) || action == ListBucket && f.Lists)
}

// Index names an index of a table.
func Index(table, index string) string { return table + "/index/" + index }
