package main

// sweepMutations break who takes over from the dead, and what expires.
func sweepMutations() []mutation {
	const orphans, sweep = "internal/content/orphans.go", "internal/sweep/sweep.go"
	conflicts := suite{name: "conflicts", args: []string{"./internal/dynamo", "./internal/outage", "-run", "TestNew|Conflicted|TestTyped"}}
	return []mutation{
		{"the sweeper reads the head first", []edit{
			{orphans, "\tcandidates, err := s.staged(ctx, ref)\n\tif err != nil {\n\t\treturn 0, err\n\t}\n", "\tnamed, err := s.named(ctx, ref)\n\tif err != nil {\n\t\treturn 0, err\n\t}\n\tcandidates, err := s.staged(ctx, ref)\n\tif err != nil {\n\t\treturn 0, err\n\t}\n"},
			{orphans, "\tnamed, err := s.named(ctx, ref)\n\tif err != nil {\n\t\treturn 0, err\n\t}\n\texpired := 0", "\texpired := 0"},
		}, outcomes()},
		{"the sweeper expires pieces that a list names", []edit{
			{"internal/content/head.go", "entry.allKeys(child, lists[child])...", "entry.allKeys(child, lists[child][:0])..."},
		}, []suite{invariants()}},
		{"the sweeper expires items staged by open attempts", []edit{
			{sweep, "return run.Status.Terminal() || run.Attempt != attempt.Number, nil", "return true, nil"},
		}, outcomes()},
		{"the sweeper ends a run that waits", []edit{
			{sweep, "now.Sub(run.FirstClaimedAt) < surgical.RunLostAfter", "now.Sub(run.FirstClaimedAt) < 5*time.Minute"},
		}, []suite{model(), recovery()}},
		{"a timed-out workflow is never cleaned up", []edit{
			{sweep, "\treturn s.settle(ctx, run, report)\n", "\tif run.RunID != \"\" {\n\t\treturn nil\n\t}\n\treturn s.settle(ctx, run, report)\n"},
		}, outcomes()},
		{"a postponed run is never resumed", []edit{
			{sweep, "\t\treturn s.start(ctx, run, run.Generation+1, report)", "\t\treturn nil"},
		}, outcomes()},
		{"a transient failure of a stage ends its run", []edit{
			{"internal/workflow/setback.go", "!run.Committed() || name == namePermanent ||", "!run.Committed() || name == namePermanent || name == nameTransient ||"},
		}, []suite{recovery()}},
		{"a repeated abort counts twice", []edit{
			{"internal/ledger/runs.go", ".Or(in(generation).And(expression.AttributeNotExists(resume)))", ".Or(in(generation))"},
			{"internal/workflow/setback.go", "if run.Postponed(generation) && name != namePermanent {", "if run.Postponed(-1) {"},
		}, []suite{recovery()}},
		{"a launcher forgets that its execution was postponed", []edit{
			{"internal/ledger/runs.go", "running().And(olderThan(generation)), begun(started()", "running().And(olderThan(generation).Or(in(generation))), begun(started()"},
		}, []suite{recovery()}},
		{"a stage may die again and again", []edit{
			{"internal/workflow/setback.go", "run.LostStages+1 >= surgical.MaxLostStages", "run.LostStages+1 >= 1000"},
		}, []suite{recovery()}},
		{"a dead stage keeps its claim until the lease ends", []edit{
			{"internal/ledger/jobs.go", ".\n\t\t\t\tOr(holder.LessThanEqual(expression.Value(generation)))", ""},
		}, []suite{recovery()}},
		{"a throttled transaction is not sent again", []edit{
			{"internal/dynamo/transact.go", "case Throttled(err):", "case Throttled(err) && ctx == nil:"},
		}, []suite{recovery()}},
		{"a write that met a transaction is not sent again", []edit{
			{"internal/dynamo/client.go", "retry.AddWithErrorCodes(awsretry.DynamoDB(), (*types.TransactionConflictException)(nil).ErrorCode())", "awsretry.DynamoDB()"},
		}, []suite{conflicts}},
		{"a request to DynamoDB is sent as often as any other", []edit{
			{"internal/dynamo/client.go", "AddWithErrorCodes(awsretry.DynamoDB(), ", "AddWithErrorCodes(awsretry.Standard(), "},
		}, []suite{conflicts}},
		{"another writer's transaction is a failure of Lorehook's own", []edit{
			{"internal/outage/outage.go", " || dynamo.Conflicted(err)", ""},
		}, []suite{conflicts}},
		{"runs of a project out of sight get in each other's way", []edit{
			{"internal/ledger/projectchange.go", "\tknown, err := l.updateKnown(ctx, projectID, update)\n\tif known || err != nil {\n\t\treturn err\n\t}\n", "\tvar err error\n"},
		}, []suite{{name: "sightings", args: []string{"./internal/ledger", "-run", "TestUnseenProject"}}}},
		{"a throttled request that gets on ignores its deadline", []edit{
			{"internal/dynamo/pace.go", "if err := spare(ctx, wait+p.reserve); err != nil {", "if err := spare(ctx, wait+p.reserve); err != nil && p.idle >= maxIdle {"},
		}, []suite{recovery()}},
		{"throttled requests return together", []edit{
			{"internal/dynamo/pace.go", "return longest/2 + time.Duration(random.Int64N(int64(longest/2)+1))", "return longest + 0*time.Duration(random.Int64N(1))"},
		}, []suite{recovery()}},
		{"a batch begins in the reserve", []edit{
			{"internal/dynamo/batch.go", "if err := spare(ctx, p.reserve); err != nil {", "if err := ctx.Err(); err != nil {"},
		}, []suite{recovery()}},
		{"a function shorter than the reserve does not wait", []edit{
			{"internal/dynamo/pace.go", "min(surgical.ThrottleReserve, time.Until(deadline)/2)", "surgical.ThrottleReserve + 0*time.Until(deadline)"},
		}, []suite{recovery()}},
		{"a run that can never be written is tried for hours", []edit{
			{"internal/worker/unfinished.go", "case now.Sub(run.Marks.PreflightStarted) < surgical.WholeAttempt:", "case now.IsZero() || now.Sub(run.Marks.PreflightStarted) >= 0:"},
		}, []suite{recovery()}},
		{"throttling makes a run too large", []edit{
			{"internal/worker/unfinished.go", "case time.Duration(units)*time.Second/surgical.PartitionWriteUnits <= had:\n\t\treturn err\n", "case units < 0:\n\t\treturn err\n"},
		}, []suite{recovery()}},
		{"a part of a worker's time makes a run too large", []edit{
			{"internal/worker/unfinished.go", "case now.Sub(run.Marks.PreflightStarted) < surgical.WholeAttempt:\n\t\treturn err\n", ""},
		}, []suite{recovery()}},
		{"attempts that failed otherwise make a run too large", []edit{
			{"internal/worker/unfinished.go", "run.Unfinished+1", "run.FailedAttempts+1"},
		}, []suite{recovery()}},
		{"a cleanup takes all the time of its worker", []edit{
			{"internal/worker/attempt.go", "duration.Reserve(ctx, surgical.ThrottleReserve)", "duration.Reserve(ctx, 0)"},
		}, []suite{recovery()}},
		{"a crowded run is fetched beside others again", []edit{
			{"internal/worker/engine.go", "case run.Crowded && !isolated:", "case false && !isolated:"},
		}, []suite{recovery()}},
		{"an entity has a byte too many", []edit{
			{"internal/gitlab/budget.go", "if total := b.bytes.Add(n); total > b.limit {", "if total := b.bytes.Add(n); total > b.limit+1 {"},
		}, []suite{recovery()}},
		{"an entity has a record too many", []edit{
			{"internal/gitlab/budget.go", "total > surgical.MaxEntityRecords {", "total > surgical.MaxEntityRecords+1 {"},
		}, []suite{recovery()}},
		{"a record has a byte too many", []edit{
			{"internal/gitlab/pages.go", "if len(raw) > surgical.MaxRecordBytes {", "if len(raw) > surgical.MaxRecordBytes+1 {"},
		}, []suite{recovery()}},
		{"a list has a page too many", []edit{
			{"internal/gitlab/pages.go", "next.number); pages > surgical.MaxListPages {", "next.number); pages > surgical.MaxListPages+1 {"},
		}, []suite{recovery()}},
		{"a list that reports a page too many is read", []edit{
			{"internal/gitlab/pages.go", "if first.pages > surgical.MaxListPages {", "if first.pages > surgical.MaxListPages+1 {"},
		}, []suite{recovery()}},
		{"a fetch takes nothing of its worker's bytes", []edit{
			{"internal/gitlab/budget.go", "if !b.share.Take(n) {", "if n < 0 {"},
		}, []suite{recovery()}},
		{"a worker has no limit of bytes", []edit{
			{"internal/room/room.go", "if !s.room.bytes.TryAcquire(n) {", "if n < 0 {"},
		}, []suite{recovery()}},
		{"a refused batch forgets the vectors that were answered", []edit{
			{"internal/workflow/embeddings.go", "\t\tif err != nil {\n\t\t\treturn vectors, err\n\t\t}\n", "\t\tif err != nil {\n\t\t\treturn nil, err\n\t\t}\n"},
		}, []suite{recovery()}},
		{"the vectors of a short document are not kept", []edit{
			{"internal/workflow/embeddings_together.go", "\t\t\t_ = s.keep(ctx, job, p.document, fresh, p.embedded)\n", ""},
		}, []suite{recovery()}},
		{"the vectors of a long document are not kept", []edit{
			{"internal/workflow/embeddings_alone.go", "\t\t_ = s.keep(ctx, job, document, fresh, embedded)\n", ""},
		}, []suite{recovery()}},
		{"a quota that lets something through counts as a failure", []edit{
			{"internal/workflow/embeddings.go", "why.Retryable && job.ChunksEmbedded > before {", "why.Retryable && job.ChunksEmbedded > before && job.RunID == \"\" {"},
		}, []suite{recovery()}},
		{"nothing says that a document is partly embedded", []edit{
			{"internal/content/embeddings.go", "if !embedded && len(puts) > 0 {", "if false && !embedded && len(puts) > 0 {"},
		}, []suite{recovery()}},
		{"a partly embedded document passes for an embedded one", []edit{
			{"internal/content/embeddings.go", "s.putEmbeddings(ref, Embeddings{DocumentID: document.ID, Revision: document.Revision, Model: model,", "s.putEmbeddings(ref, Embeddings{DocumentID: document.ID, DocumentHash: document.Hash, Revision: document.Revision, Model: model,"},
		}, []suite{recovery()}},
		{"an unanswered text is not sent again", []edit{
			{"internal/embedding/pace.go", "\t\tp.failed(sent, failure.RetryAfter)\n", "\t\tp.failed(sent, failure.RetryAfter)\n\t\tif sent.IsZero() == false {\n\t\t\treturn last\n\t\t}\n"},
		}, []suite{recovery()}},
		{"an answered text is sent again with the others", []edit{
			{"internal/embedding/bedrock.go", "\treturn vectors, group.Wait()\n", "\tif err := group.Wait(); err != nil {\n\t\treturn nil, err\n\t}\n\treturn vectors, nil\n"},
		}, []suite{recovery()}},
		{"a secret is not read again in the background", []edit{
			{"internal/function/secret/source.go", "if !within(s.readAt, now, surgical.SecretRefreshAge) && !recently {", "if !within(s.readAt, now, surgical.SecretMaxAge) && !recently {"},
		}, []suite{recovery()}},
		{"an old secret is used before it is read again", []edit{
			{"internal/function/secret/source.go", "if s.loaded && within(s.readAt, now, surgical.SecretMaxAge) {\n\t\tdefer", "if s.loaded && within(s.readAt, now, surgical.SecretMaxAge+time.Second) {\n\t\tdefer"},
		}, []suite{recovery()}},
		{"a secret is used for ever while it cannot be read", []edit{
			{"internal/function/secret/source.go", "case now.Sub(s.readAt) >= surgical.SecretOutage:", "case now.Sub(s.readAt) >= 2*surgical.SecretOutage:"},
		}, []suite{recovery()}},
		{"a secret that cannot be read is dropped at once", []edit{
			{"internal/function/secret/source.go", "case now.Sub(s.readAt) >= surgical.SecretOutage:", "case now.Sub(s.readAt) >= surgical.SecretMaxAge:"},
		}, []suite{recovery()}},
		{"a conflict counts as a refused condition", []edit{
			{"internal/content/transact.go", "if dynamo.Refusals(err) != nil {", "if dynamo.Contended(err) {"},
		}, []suite{recovery()}},
		{"a message lost between row and queue is not resent", []edit{
			{sweep, "\tif err := queue.Send(ctx, run.Request); err != nil {\n\t\treturn fmt.Errorf(\"send run %s again: %w\", runID, err)\n\t}\n", "\t_ = queue\n"},
		}, outcomes()},
		{"the backlog is not drained", []edit{
			{"internal/sweep/backlog.go", "\tif err := s.Bulk.Send(ctx, req); err != nil {\n\t\treturn fmt.Errorf(\"send drain run %s: %w\", req.RunID, err)\n\t}\n", ""},
		}, outcomes()},
		{"a drain forgets earlier failures", []edit{
			{"internal/surgical/dirty.go", "\t\td.Attempts = max(d.Attempts, old.Failures())\n", ""},
		}, outcomes()},
		{"a failed drain is repeated as soon as any other", []edit{
			{"internal/surgical/dirty.go", "\tdoublings := min(l.Attempts, 10)\n", "\tdoublings := 0\n"},
		}, outcomes()},
		{"a request to drain is carried out again and again", []edit{
			{"internal/sweep/backlog.go", "return row.LeftAt().Before(requested)", "return !requested.IsZero()"},
		}, []suite{recovery()}},
		{"a request to drain does not resume what is held back", []edit{
			{"internal/sweep/backlog.go", "return row.LeftAt().Before(requested)", "return row.LeftAt().Before(requested) && !row.Blocked"},
		}, []suite{recovery()}},
		{"what failed is drained together with others", []edit{
			{"internal/sweep/backlog.go", "\t\tisolated = isolated || row.Failures() > 0\n", ""},
		}, outcomes()},
		{"a refused embedder does not stop the drains", []edit{
			{"internal/sweep/backlog.go", "\tif embedded.After(refusedAt) {\n", "\tif !embedded.After(refusedAt) {\n"},
		}, outcomes()},
		{"a drain waits for the embedder although it works", []edit{
			{"internal/ledger/finishjob.go", "if f.job.ChunksEmbedded > 0 {\n\t\tembedded, err", "if false && f.job.ChunksEmbedded > 0 {\n\t\tembedded, err"},
		}, outcomes()},
		{"an embed job that embedded nothing resumes the drains", []edit{
			{"internal/ledger/finishjob.go", "if f.job.ChunksEmbedded > 0 {\n\t\tembedded, err", "if f.job.Type == surgical.JobEmbed {\n\t\tembedded, err"},
		}, outcomes()},
		{"a sweep that had no time for all of the backlog begins anew", []edit{
			{"internal/ledger/drain.go", "\t\tif after.ID != \"\" {\n", "\t\tif false {\n"},
		}, outcomes()},
		{"the backlog of a project that is not allowed is drained", []edit{
			{"internal/sweep/backlog.go", "if !b.sweeper.Allows(rows[0].Ref.ProjectID) {", "if false && !b.sweeper.Allows(rows[0].Ref.ProjectID) {"},
		}, []suite{recovery()}},
		{"a new dirty source hastens what failed", []edit{
			{"internal/sweep/backlog.go", "slices.MaxFunc(rows,", "slices.MinFunc(rows,"},
		}, outcomes()},
	}
}
