package surgical

import "time"

// This file is the one home of times and bounds: infra deploys them, the rigs
// under test/ simulate them, and tests compare docs/architecture.md, the runbooks
// and the synthesized template with them.

// The engine's.
const (
	// MaxTargets is how many entities one request may name: the heads, dirty
	// sources and jobs of that many fit one DynamoDB transaction (100 items).
	MaxTargets = 25
	// MaxNamedChildren is the longest list of children in a scope; beyond it the
	// scope is everything, so that a row that holds it stays small.
	MaxNamedChildren = 400

	// Settle is the settle time M: a fetch covers an event only if it began later
	// than the event's receipt plus M. It must exceed GitLab's replica lag plus
	// the difference between the clocks.
	Settle = 2 * time.Second
	// Confirmation is the confirmation time C: a fetch that contradicts what an
	// earlier one saw is believed if it began so long after that one ended. It must
	// exceed the longest lag of a replica that GitLab still reads from.
	Confirmation = 5 * time.Minute
	// FollowUpSoon, FollowUpLater and Confirmation are how long after an event has
	// settled its follow-ups are due.
	FollowUpSoon  = 10 * time.Second
	FollowUpLater = time.Minute
	// RefetchInterval keeps webhooks from fetching one busy entity over and over.
	RefetchInterval = 5 * time.Second

	// Lease is how long an attempt holds its run: a little longer than a worker
	// may run.
	Lease = 130 * time.Second
	// MaxLostLeases is how many workers may die while they hold one run.
	MaxLostLeases = 5
	// MaxAttempts bounds the attempts that one worker makes at one message.
	MaxAttempts = 6
	// IngestReserve is the time that an attempt reserves for its commit, and
	// MinAttempt the least time worth beginning an attempt with.
	IngestReserve = 25 * time.Second
	MinAttempt    = IngestReserve + 10*time.Second
	// PreflightTime is what an attempt has for its fetches if it has the whole time
	// of a worker, but for a few seconds before it began.
	PreflightTime = WorkerTimeout - IngestReserve - 5*time.Second

	// PartitionWriteUnits is how many write units a second DynamoDB takes for one
	// partition key, such as that of an entity, whatever else happens in the table.
	PartitionWriteUnits = 1000
	// WholeAttempt is how long an attempt takes at least that has the whole time of a
	// worker and runs out of it while it writes: the first seconds and the last pause
	// of a throttled write are left out.
	WholeAttempt = WorkerTimeout - ThrottleReserve - 7*time.Second
	// MaxUnfinished is how many attempts may use up the whole time of a worker before a
	// run that fetches or writes more than they had time for counts as too large:
	// GitLab may have been slow once.
	MaxUnfinished = 3

	// GiveUpAfter is the age, counted from the first claim, at which a run whose
	// attempt failed is given up.
	GiveUpAfter = 6 * time.Hour
	// MaxLostStages is how often a stage of one run may end without an answer
	// (killed, out of memory, out of time) before the run fails.
	MaxLostStages = 5
	// A run whose stage could not end is resumed by the sweeper. The delays double
	// from FirstResume to MaxResume.
	FirstResume = 30 * time.Second
	MaxResume   = 10 * time.Minute
	// Delays between attempts double from FirstDelay to MaxDelay.
	FirstDelay = 2 * time.Second
	MaxDelay   = 2 * time.Minute
	// MaxRetryAfter is the longest delay that a message can be given: SQS hides it
	// for at most 12 hours.
	MaxRetryAfter = 11 * time.Hour
	// DefaultPause is how long all workers wait if GitLab does not say.
	DefaultPause = time.Minute
	// ThrottleReserve is how long before its deadline a function stops repeating
	// throttled requests to DynamoDB: enough to hand its work on.
	ThrottleReserve = 10 * time.Second
	// UnknownDelay is the delay after a failure of one of Lorehook's own parts.
	UnknownDelay = 5 * time.Second
	// NotFoundTries is how often a webhook's entity must be missing before that
	// counts: the event may be ahead of the replica that answers.
	NotFoundTries = 3

	// TurnGrace is how long a worker takes at most, at the default rate, from a batch of
	// deliveries to the begin of the last fetch: ten entities with five requests each.
	// It also exceeds RefetchInterval.
	TurnGrace = 15 * time.Second
	// TurnDelay is how long the run of a pass waits before it looks again whether
	// deliveries wait, and TurnPatience when it stops waiting for them.
	TurnDelay    = 5 * time.Second
	TurnPatience = time.Hour
	// PauseSlack is how long after the end of a pause a message that waits for it may
	// stay hidden.
	PauseSlack = 5 * time.Second

	// ParallelFetches bounds how many targets of one run are fetched at a time;
	// each of them sends at least five requests at once.
	ParallelFetches = 4
)

// How much GitLab's users may make. Beyond a limit of an entity or a run, the
// target fails permanently with [CodeEntityTooLarge]. A text that is too long only to
// be shown is cut, with a mark.
const (
	// MaxEntityBytes is the most that is fetched of one entity, in bytes of all its
	// responses, and so the largest single response. To write that much takes
	// DynamoDB about a minute: one partition accepts 1,000 units of 1 KB a second.
	MaxEntityBytes = 64 << 20
	// MaxRecordBytes is the largest record of a list, such as a discussion with all
	// its notes, in bytes.
	MaxRecordBytes = 16 << 20
	// MaxEntityRecords is the most records that the lists of one entity may have
	// together. GitLab does not accept more than 5,000 comments. With every page
	// but the last read twice, so many take some 300 requests, which an attempt has
	// time for at the default rate.
	MaxEntityRecords = 15_000
	// MaxListPages is the most pages of one list. They are full pages of
	// [MaxEntityRecords], and half as many again.
	MaxListPages = 225
	// MaxOffset is the most records that are read by page number: that is where GitLab's
	// offset pagination ends. Of a project's list, only records of one date are.
	MaxOffset = 50_000
	// MaxListPageBytes is the largest page of a list of issues or merge requests, in
	// bytes. A list of larger records is read with fewer of them to a page, and one
	// record that is larger without its long texts. Only a changed GitLab has such a
	// record: its limit of a description is 1,048,576 characters.
	MaxListPageBytes = MaxRecordBytes
	// MaxAbridgedBytes is the most that is read of such a record, in bytes. None of it is
	// held but MaxListPageBytes at most.
	MaxAbridgedBytes = 1 << 30
	// MaxShown is the longest title, name or link that heads and documents show, in
	// characters. GitLab's own limit of a title is 255. The copy itself has all.
	MaxShown = 1_000
	// MaxShownList is the most that heads and documents show of an entity's labels, of
	// its assignees and of its reviewers, in bytes each, so that 25 heads fit a
	// transaction. The copy itself has all.
	MaxShownList = 32 << 10
	// MaxDocument is the longest text of a document, in characters. GitLab's limit
	// of a description or comment is 1,048,576. Its chunks fit one item.
	MaxDocument = 1_500_000
	// MaxItemBytes is the largest item that DynamoDB stores.
	MaxItemBytes = 400 << 10

	// MaxWorkerBytes is the most that one worker holds at a time of what it
	// fetched, in bytes, whatever the runs of its batch. A run that exceeds it
	// together with others is repeated in isolation; one that exceeds it even then
	// is too large.
	MaxWorkerBytes = 256 << 20
)

// How long one invocation of a function may take.
const (
	// WebhookTimeout is how long GitLab waits for an answer.
	WebhookTimeout = 10 * time.Second
	// WebhookCallTimeout bounds all calls of one delivery; the rest of
	// WebhookTimeout is for the cold start and the answer.
	WebhookCallTimeout = 5 * time.Second
	// WorkerTimeout is shorter than [Lease]: a worker that still runs holds its
	// leases.
	WorkerTimeout = 120 * time.Second
	// StageTimeout is that of docs and embed. It is shorter than
	// StageTaskTimeout, so that the function itself can say what happened.
	StageTimeout = 50 * time.Second
	// HandOnReserve is the part of StageTimeout that a stage reserves for handing
	// its remaining work on to another execution.
	HandOnReserve = 20 * time.Second
	// ClosingTimeout is that of finish and abort, which write a few items.
	ClosingTimeout = 8 * time.Second
	// SweeperTimeout is no longer than SweepInterval: sweeps hardly ever
	// overlap.
	SweeperTimeout = 60 * time.Second
	// APITimeout ends before the gateway gives up, after 30 s.
	APITimeout = 29 * time.Second
	// AnswerReserve is the part of the time of API, search and widget that is reserved for
	// answering that something else did not answer in time.
	AnswerReserve = time.Second
	// WidgetTimeout ends before the dashboard gives up.
	WidgetTimeout = 15 * time.Second

	// SweepInterval is how often the sweeper starts.
	SweepInterval = time.Minute
)

// The workflow's times, as infra/workflow.asl.json has them.
const (
	// StageTaskTimeout bounds one try of docs or embed.
	StageTaskTimeout = 55 * time.Second
	// ClosingTaskTimeout bounds one try of finish or abort.
	ClosingTaskTimeout = 10 * time.Second
	// TaskTries is how often a task is tried if its function fails transiently or
	// dies.
	TaskTries = 2
	// InvokeTries is how often a task is tried if Lambda throttles or fails.
	InvokeTries = 5
	// TaskRetryInterval is the wait between the first two tries of a task; it
	// doubles with each further one.
	TaskRetryInterval = time.Second
	// WorkflowTimeout bounds one execution: all tries of its longest way, and a
	// few seconds. AWS ends an EXPRESS execution after 300 s. An execution that
	// Lambda's throttling keeps longer is resumed like one that died.
	WorkflowTimeout = 268 * time.Second
)

// The work queues, requests.fifo and bulk.fifo, and their workers. Their
// delivery delay is [Settle].
const (
	// Visibility is longer than [Lease], so that a message of a crashed worker
	// finds its run free, and not much longer: its entity stands still until
	// then.
	Visibility = 140 * time.Second
	// DeadLetterVisibility is how long each receive hides a dead letter.
	DeadLetterVisibility = 30 * time.Second
	// Retention is how long SQS keeps a message; it is SQS's maximum.
	Retention = 14 * 24 * time.Hour
	// DeduplicationInterval is how long SQS ignores a message with the deduplication
	// id of an earlier one, counted from that one.
	DeduplicationInterval = 5 * time.Minute
	// MaxReceives is this high because waiting (a 429, an outage) receives a
	// message again and again; the worker itself gives up by time.
	MaxReceives = 1000
	// BatchSize is the most messages of one invocation of the worker; it is
	// SQS's maximum for FIFO queues.
	BatchSize = 10
	// DefaultConcurrency is how many workers requests.fifo starts at once, unless
	// workerConcurrency says otherwise.
	DefaultConcurrency = 4
	// BulkConcurrency is how many workers bulk.fifo starts at once: few, so that
	// a backlog never delays a webhook.
	BulkConcurrency = 2
	// HideConcurrency is how many workers hides.fifo starts at once: the fewest that
	// Lambda allows. A hide request takes milliseconds.
	HideConcurrency = 2
	// DefaultEmbedderConcurrency is how many requests to Bedrock one invocation of
	// embed has in flight, unless embedderConcurrency says otherwise: at 0.1 s a
	// request, 20 a second, which is twice the smallest quota (600 a minute). More
	// would only be refused more often by the quota that all invocations share.
	DefaultEmbedderConcurrency = 2
	// MaxEmbedderConcurrency is the most that embedderConcurrency may say.
	MaxEmbedderConcurrency = 64
	// SmallChange is up to how many chunks the docs function embeds itself. It is a call
	// of any embedder, and more than most changes have.
	SmallChange = 16
	// SmallPatience is how long docs waits for the embedder before it asks again, with a
	// small change: if it is away, other documents must not wait for it.
	SmallPatience = 3 * time.Second
	// DefaultRequestsPerSecond is one worker's rate of requests to GitLab, unless
	// gitlabRequestsPerSecond says otherwise.
	DefaultRequestsPerSecond = 4
)

// The passes over GitLab's lists.
const (
	// ListPage is the most entries of one page of a list: GitLab's maximum.
	ListPage = 100
	// MaxOutstanding is how many runs of a reconcile, or of all backfills together, may
	// be queued or running at a time.
	MaxOutstanding = 500
	// MaxWindow is how many of them one window has, so that a window and the failures
	// of all its runs fit a transaction.
	MaxWindow = 50
	// MaxWindows is how many windows a cycle of a reconcile has at a time: its next one
	// replaces them all in one transaction.
	MaxWindows = 40
	// MaxGivenUp is how many entities a project remembers that its reconciles gave up. With
	// more, the project is no longer called complete.
	MaxGivenUp = 50
	// MaxWanting is how many requests for several projects a backfill takes over from the
	// one whose place it takes.
	MaxWanting = 50
	// ReconcileInterval is the time from one reconcile of a project to the next, unless
	// reconcileMinutes says otherwise.
	ReconcileInterval = 5 * time.Minute
	// ReconcileOverlap is how much of what was listed before is listed again. It must
	// exceed the longest lag of a replica that GitLab still reads from, and the longest
	// of GitLab's own transactions.
	ReconcileOverlap = 10 * time.Minute
	// reconcileBehind is how old the last comparison of a project with its lists may be
	// at least before that is worth a look: a backlog of runs, or a short outage of
	// GitLab, is not.
	reconcileBehind = time.Hour
	// ListTries is how often a cycle of a reconcile requests a page that GitLab does not
	// give. Then the next cycle begins, with the other list.
	ListTries = 3
	// ReconcileTries is in how many cycles an entity is fetched for which GitLab's
	// answer is final.
	ReconcileTries = 3
	// WebhookReserve is the part of GitLab's budget, in percent, that passes leave to
	// webhooks, and MaxSpare the longest time for which they do so at a time.
	WebhookReserve = 25
	MaxSpare       = 5 * time.Minute
	// CensusBudget is how long a census takes, and the time from the start of one census
	// of a project to the next, unless censusDays says otherwise.
	CensusBudget = 7 * 24 * time.Hour
	// CensusRetry is when a census begins again after one that failed, and when the
	// first one of a project begins.
	CensusRetry = 24 * time.Hour
	// CensusStep is how many copies a census looks at in one step, unless the project
	// is so large that its budget requires more.
	CensusStep = 10
	// MaxCensusRuns is how many runs censuses may request each time the crawler starts,
	// and how many of one project may be queued or running before it requests more:
	// some 100 requests to GitLab a minute.
	MaxCensusRuns = 20
	// DeliverySkew is how much earlier than an entity's date, which is GitLab's, its
	// delivery may have been processed by our clock.
	DeliverySkew = time.Minute
	// HookCheckInterval is the time from one check of a project's hook to the next.
	HookCheckInterval = time.Hour
	// MaxDeliveryPages is how many pages of a hook's delivery log are read at a time,
	// of 100 deliveries each. The next reading goes on behind them.
	MaxDeliveryPages = 20
	// CrawlInterval is how often the crawler starts.
	CrawlInterval = time.Minute
	// CrawlerTimeout ends before CrawlerLease, which keeps two crawlers from working at
	// the same time and ends before the start after the next.
	CrawlerTimeout = 50 * time.Second
	CrawlerLease   = 55 * time.Second
	// CrawlReserve is the part of CrawlerTimeout in which no page is begun: enough to
	// queue what the last one requested.
	CrawlReserve = 15 * time.Second
	// HooksShare is the time for which the crawler looks after hooks before it goes on
	// with passes, and HooksReserve the part of it in which it begins nothing.
	HooksShare   = 20 * time.Second
	HooksReserve = 5 * time.Second
	// FirstLook is when the crawler looks again at passes whose runs are under way, after
	// the [Settle] that runs wait before they begin. The pause doubles up to MaxLook.
	FirstLook = 2 * time.Second
	MaxLook   = 8 * time.Second
)

// What the sweeper waits for before it steps in.
const (
	// SweepGrace is how long a healthy run may take between two of its steps.
	SweepGrace = time.Minute
	// WorkflowLostAfter is a little more than [WorkflowTimeout]: an execution
	// that times out runs no catch, so only the sweeper can close its run.
	WorkflowLostAfter = 5 * time.Minute
	// MaxHidden is the longest time for which SQS hides a message.
	MaxHidden = 12 * time.Hour
	// RunLostAfter is the age, counted from the first claim, at which an
	// uncommitted run is lost. Until then it may only be waiting.
	RunLostAfter = GiveUpAfter + MaxHidden
	// MaxHides is how many hide runs a sweep sends: each takes two requests to GitLab from
	// what serves webhooks, 100 together 6 s of four workers' rate.
	MaxHides = 100
	// ResendInterval is the least time between two messages of one queued run.
	ResendInterval = 10 * time.Minute
	// BacklogAge is how old a dirty source of an ended run gets before it is
	// drained, so that a retry can come first.
	BacklogAge = 15 * time.Minute
	// MaxBacklogDelay is the longest wait before a dirty source is drained again.
	// The waits double from BacklogAge with every run that failed over it.
	MaxBacklogDelay = 6 * time.Hour
	// DrainInterval is the least time between two drain runs for the same dirty
	// sources: one that failed before it took them over is not repeated sooner.
	DrainInterval = 6 * time.Hour
	// SweepDelay is how long a run's staged items are left alone before the
	// sweeper looks for orphans among them: longer than any write of a dead
	// worker takes to land.
	SweepDelay = 15 * time.Minute
	// SweepReserve is the part of SweeperTimeout that a sweep reserves for its
	// report.
	SweepReserve = 2 * time.Second
)

// The edges.
const (
	// MaxWebhookBody is the largest payload of a delivery, decoded, in bytes.
	// Lambda accepts events of 6 MB, in which the payload is a JSON string: its
	// quotes and backslashes count twice.
	MaxWebhookBody = 5 << 20
	// MaxAPIBody is the largest body of a request to the manual API, in bytes:
	// 25 targets need a few hundred.
	MaxAPIBody = 64 << 10
	// UnavailableRetryAfter is the Retry-After of an answer that found a
	// dependency out of reach, unless the failure itself says longer.
	UnavailableRetryAfter = 10 * time.Second
	// SilentAfter is how long after a change GitLab must have sent its delivery; a hook
	// without one is silent. It leaves time for GitLab's own queues.
	SilentAfter = 10 * time.Minute
	// SecretInterval is the least time between two readings of a secret: a
	// stranger's wrong signatures must not drive requests to Secrets Manager.
	SecretInterval = 10 * time.Second
	// SecretRefreshAge is the age from which a secret that is in use is read again in
	// the background, and SecretMaxAge the age from which it is read again before it is
	// used. So a removed token is refused at this age at the latest.
	SecretRefreshAge = 30 * time.Second
	SecretMaxAge     = 60 * time.Second
	// SecretOutage is how long the last value is used while Secrets Manager is out of
	// reach.
	SecretOutage = 15 * time.Minute
	// SecretReadTimeout bounds one reading: within [WebhookCallTimeout] it leaves time
	// to enqueue the delivery.
	SecretReadTimeout = 2 * time.Second
	// SecretRetryInterval is the least time between two attempts to read a
	// secret without a value that may be used. It is short: nothing works until then.
	SecretRetryInterval = time.Second
)

// Projects as a whole.
const (
	// HideProjectAfter is how long GitLab must refuse to show a project itself before
	// all of its copies are hidden, unless projectHideAfterHours says otherwise.
	HideProjectAfter = 24 * time.Hour
	// NameProjectTimeout bounds the write that records a project's path. If it fails,
	// the next run records it.
	NameProjectTimeout = 2 * time.Second
)

// Erasing.
const (
	// EraseSettle is how long after an entity was erased something may still be written
	// that a function read before. The sweeper removes that.
	EraseSettle = SweepDelay
	// EraseReserve is the time that a request to erase, or a sweep, reserves for listing
	// what is left.
	EraseReserve = 8 * time.Second
	// PointInTimeRecovery is how far back the tables can be restored.
	PointInTimeRecovery = 35 * 24 * time.Hour
)

// The change feeds.
const (
	// FeedRetention is how old the place of a reader may be.
	FeedRetention = 30 * 24 * time.Hour
	// FeedGap is how long the consumer of the content table's stream may be away, or a
	// record may wait, before the feeds are restarted. A stream keeps records for 24 h.
	FeedGap = 20 * time.Hour
	// FeedBeat is how often the stream has a record even if nothing changes, so that a
	// consumer that was away differs from one with nothing to do.
	FeedBeat = 10 * time.Minute
	// FeedConsumedInterval is how often the consumer records that it works. An absence
	// counts from the last record of it, so the feeds restart up to this time before
	// FeedGap.
	FeedConsumedInterval = time.Hour
	// FeedTimeout is that of the function that writes the feeds, and FeedBatch how many
	// records of the stream it takes at a time.
	FeedTimeout = 60 * time.Second
	FeedBatch   = 100
	// FeedWindow is how long records are collected for a batch. The commit, the documents
	// and the embeddings of one change come within seconds, and each batch starts the
	// indexer.
	FeedWindow = 5 * time.Second
)

// The search index.
const (
	// MaxIndexBatches and MaxBatchedDocuments are how many batches, and documents in
	// them, are kept behind the base of the index before they are joined with it.
	MaxIndexBatches     = 200
	MaxBatchedDocuments = 5_000
	// CompactRemoved is how long an object may have text that was removed from the index
	// before it is replaced, and ForgetRemoved before what it was replaced in is no longer
	// named. With IndexUnnamed, and with the time of an indexer, that is less than a day.
	CompactRemoved = 20 * time.Hour
	ForgetRemoved  = 22 * time.Hour
	// IndexForgets is when no object has it any more, counted from its removal from the
	// tables.
	IndexForgets = 24 * time.Hour
	// IndexUnnamed is how long an object stays that no manifest names: longer than
	// a reader of an older manifest takes to read it.
	IndexUnnamed = time.Hour
	// IndexBatchAge is how old a batch gets before it is joined with the base, and
	// IndexPreviousAge how long the base before that is kept at most. So no item of a batch
	// is needed when it expires, after IndexBatchExpires: an index that nobody has followed
	// for so long is rebuilt, because its place in the feed has expired.
	IndexBatchAge     = 7 * 24 * time.Hour
	IndexPreviousAge  = 14 * 24 * time.Hour
	IndexBatchExpires = FeedRetention
	// MaxSearchRounds is how often a search reads candidates again to fill a page with
	// those that are still true.
	MaxSearchRounds = 5
	// MaxSearchDepth is the last rank that a search goes to, counted in entities.
	MaxSearchDepth = 1_000
	// IndexInterval is how often the indexer starts by itself: every change of the feed
	// starts it as well. IndexerTimeout is how long it may take: AWS's maximum, for a
	// rebuild.
	IndexInterval  = 5 * time.Minute
	IndexerTimeout = 15 * time.Minute
	// MaxFollowedBytes is the most texts and vectors, in bytes, that an indexer with
	// IndexerMemory reads for one batch. As JSON, vectors take twice as much again.
	MaxFollowedBytes = 8 << 20
	// IndexCheckInterval is how often an indexer looks whether the objects of the index
	// are still what was written.
	IndexCheckInterval = 10 * time.Minute
	// IndexerTurn is how long the turn of an indexer lasts before it has to extend it, which
	// it does every IndexerExtends.
	IndexerTurn    = time.Minute
	IndexerExtends = 20 * time.Second
	// SearchTimeout leaves [APITimeout] time for the answer. The API waits for as long.
	SearchTimeout = 25 * time.Second
)

// What functions may use.
const (
	// WorkerMemory is the worker's memory, in MB. Its peaks, at each limit of a run, are
	// in docs/deploy.md, and so are those of the others.
	WorkerMemory = 1024
	// StageMemory is that of docs and embed, in MB, APIMemory that of the API, and
	// CrawlerMemory that of the crawler.
	StageMemory   = 384
	APIMemory     = 640
	CrawlerMemory = 512
	// SmallMemory is that of the functions that hold one message, or a few rows: webhook,
	// finish, abort, sweeper, feed and widget.
	SmallMemory = 256
	// IndexerMemory is that of the indexer, in MB, which has of the search index only what
	// it knows of each document.
	IndexerMemory = 768
	// IndexMemory is the memory, and IndexStorage the temporary storage, of the functions
	// that have a copy of the search index, builder and search, in MB. Memory buys time,
	// too: with 1,769 MB a function has one core of its own.
	IndexMemory  = 2304
	IndexStorage = 2048
	// NearTheLimit is the share of its timeout from which on an invocation is reported as
	// slow. Workers and stages stop by themselves earlier, at 79% and 60%.
	NearTheLimit = 0.85
	// GoMemoryPercent is the part of a function's memory from which on Go's garbage
	// collector works harder. The rest is for what it does not count. Lambda kills
	// a process that needs more than its memory.
	GoMemoryPercent = 65
	// MaxEnvironment is the largest environment of a function, in bytes.
	MaxEnvironment = 4 << 10
)

// How often a call to AWS is tried, and how long one attempt may take. A local AWS, on a
// busy machine, has ten times as long.
const (
	// AWSAttempts is how many times a request is sent at most, and DynamoDBAttempts one to
	// DynamoDB. The embedder repeats requests to Bedrock itself.
	AWSAttempts      = 3
	DynamoDBAttempts = 4
	// AWSRetryPause and DynamoDBRetryPause bound the first pause between two attempts,
	// which is random. The bound doubles with each attempt, up to AWSMaxRetryPause. After
	// a throttled attempt, the SDK begins with a second instead.
	AWSRetryPause      = 50 * time.Millisecond
	DynamoDBRetryPause = 25 * time.Millisecond
	AWSMaxRetryPause   = 20 * time.Second
	// AWSDialTimeout bounds the connecting, and AWSReadTimeout the wait for the
	// first byte of the response after the request was sent.
	AWSDialTimeout = time.Second
	AWSReadTimeout = 2 * time.Second
	// AWSSlowReadTimeout takes the place of AWSReadTimeout for services that do
	// the work before they answer: Bedrock and Step Functions.
	AWSSlowReadTimeout = 10 * time.Second
	// AWSBodyTimeout bounds the reading of the response: up to 16 MB from DynamoDB.
	AWSBodyTimeout = 5 * time.Second
	// AWSTransferTimeout takes its place for the objects of the search index, of up to
	// some hundred megabytes.
	AWSTransferTimeout = time.Minute
)
