package main

// stageMutations break the docs and embed stages of a run.
func stageMutations() []mutation {
	const prepare = "internal/content/prepare.go"
	const docs, embeddings, documents, jobs, hide = "internal/workflow/documents.go", "internal/content/embeddings.go", "internal/content/documents.go", "internal/ledger/jobs.go", "internal/content/hide.go"
	const finish, closing = "internal/ledger/finishjob.go", "internal/ledger/close.go"
	return []mutation{
		{"a key that only an operator can supply is waited for", []edit{{"internal/embedding/openai.go", "case errors.Is(err, secret.ErrUnusable):", "case err == secret.ErrUnusable:"}}, []suite{invariants()}},
		{"regenerated is decided before the document is written", []edit{
			{docs, "\tif len(current) == 0 {", "\tif len(current) >= 0 {"},
		}, outcomes()},
		{"regenerated counts documents written, not documents to embed", []edit{
			{docs, "\tstale, err := s.stale(ctx, view.Head, rendered, before.Embeddings)\n\treturn made{done, int64(len(puts)), stale, warnings}, err", "\tvar stale []string\n\tfor _, put := range puts {\n\t\tstale = append(stale, put.ID)\n\t}\n\treturn made{done, int64(len(puts)), stale, warnings}, nil"},
		}, outcomes()},
		{"embeddings written under the head instead of their document", []edit{
			{embeddings, "return s.check(key(ref, docKey(d.ID)), expression.Name(\"hash\").Equal(expression.Value(d.Hash)).\n\t\tAnd(expression.Name(\"revision\").Equal(expression.Value(d.Revision))))", "return s.check(key(ref, headKey), expression.Name(\"revision\").GreaterThanEqual(expression.Value(d.Revision)))"},
		}, outcomes()},
		{"documents are written although the head changed", []edit{
			{documents, "return s.check(key(head.Ref, headKey), expression.Name(\"revision\").Equal(expression.Value(head.Revision)))", "return s.check(key(head.Ref, headKey), expression.Name(\"revision\").GreaterThanEqual(expression.Value(head.Revision)))"},
		}, outcomes()},
		{"hidden bytes removed without their condition", []edit{
			{hide, "TableName: &s.table, Key: key(ref, sk), ConditionExpression: expr.Condition(),\n\t\t\t\tExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),", "TableName: &s.table, Key: key(ref, sk),"},
			{hide, "expr expression.Expression) error {", "_ expression.Expression) error {"},
		}, outcomes()},
		{"an execution yields to its own launcher", []edit{
			{jobs, "\t// The launcher may have recorded the generation between the two.\n\treturn l.update(ctx, runID, open.And(in(generation)), enter())", "\treturn run, err"},
		}, outcomes()},
		{"dirty ids by query", []edit{
			{finish, "\t\titems = append(items, l.deleteDirty(f.job.Ref, f.job.DirtyID))", "\t\tsources, err := l.DirtySources(context.TODO(), f.job.Ref)\n\t\tif err != nil {\n\t\t\treturn nil, err\n\t\t}\n\t\tfor _, source := range sources {\n\t\t\titems = append(items, l.deleteDirty(f.job.Ref, source.ID))\n\t\t}"},
		}, outcomes()},
		{"a no_embed run embeds", []edit{
			{docs, "\tif run.Options.NoEmbed {\n\t\treturn ledger.LeftDirty()\n\t}", "\tif false && run.Options.NoEmbed {\n\t\treturn ledger.LeftDirty()\n\t}"},
		}, outcomes()},
		{"what docs could not embed counts as embedded", []edit{
			{docs, "\treturn embedded && err == nil\n", "\treturn embedded || err != nil\n"},
		}, outcomes()},
		{"docs embeds again what may have killed it", []edit{
			{docs, " || job.Attempts > 1 {", " {"},
		}, outcomes()},
		{"docs waits for the embedder as long as it runs", []edit{
			{docs, "context.WithTimeout(ctx, surgical.HandOnReserve+surgical.SmallPatience)", "context.WithCancel(ctx)"},
		}, outcomes()},
		{"a document that moved while docs embedded it counts as embedded", []edit{
			{"internal/workflow/embeddings_together.go", "return err == nil && len(moved) == 0, err", "_ = moved\n\treturn err == nil, err"},
		}, outcomes()},
		{"docs embeds more than a small change", []edit{
			{"internal/workflow/embeddings_together.go", " || missingOf(plans) > min(most, s.sliceSize()) || ", " || "},
		}, outcomes()},
		{"the embed stage does not learn what docs left to it", []edit{
			{finish, "\tif !done.embedding.IsZero() {\n\t\tjob.Regenerated,", "\tif done.next != nil {\n\t\tjob.Regenerated,"},
		}, outcomes()},
		{"finish closes a run with open jobs", []edit{
			{closing, "if c.status == surgical.StatusSucceeded && slices.ContainsFunc(jobs, surgical.Job.Open) {", "if false && slices.ContainsFunc(jobs, surgical.Job.Open) {"},
		}, outcomes()},
		{"docs closes a run of which another target is open", []edit{
			{finish, " && run.JobsInserted == 1 && ", " && run.JobsInserted > 0 && "},
		}, outcomes()},
		{"docs closes a run that it leaves to embed", []edit{
			{finish, " && f.done.next == nil && run.Status", " && run.Status"},
		}, outcomes()},
		{"docs closes a run without ending its job", []edit{
			{closing, "\t\titems = append(items, finish...)\n", "\t\t_ = finish\n"},
		}, outcomes()},
		{"docs closes a run whatever it has become in the meantime", []edit{
			{finish, "\tf := l.finishing(job, done)\n", "\tf := l.finishing(job, done)\n\tends := f.endsRun(run)\n"},
			{finish, "\tif f.endsRun(run) {\n\t\trun, err = l.finishRun", "\tif ends {\n\t\trun, err = l.finishRun"},
		}, outcomes()},
		{"a run that docs closes does not count what its job did", []edit{
			{closing, "\t\tupdate = c.finishing.inRun(update)\n", ""},
		}, outcomes()},
		{"a run that docs closes is swept although nothing is left of it", []edit{
			{finish, "\tif f.endsRun(run) && run.SweepPending {\n", "\tif false {\n"},
		}, outcomes()},
		{"a run with a failed job succeeds", []edit{
			{"internal/ledger/undone.go", "if !job.Open() && job.Status != surgical.JobFailed {", "if !job.Open() {"},
		}, outcomes()},
		{"a failed stage names no targets", []edit{
			{"internal/ledger/undone.go", "\tc.err = c.err.With(len(run.Targets), failures)\n", "\t_ = failures\n"},
		}, outcomes()},
		{"a note that does not say whether it is internal is shown", []edit{
			{"internal/render/render_discussion.go", "\t\t\tf.LeaveOut(err.Error() + \", so the note is left out\")\n\t\t\tcontinue\n", "\t\t\tf.LeaveOut(err.Error() + \", so the note is left out\")\n"},
		}, outcomes()},
		{"a record that cannot be rendered stops the others", []edit{
			{"internal/workflow/documents_render.go", "case errors.As(err, &unreadable) && !unreadable.Retryable:", "case errors.As(err, &unreadable) && unreadable.Retryable:"},
		}, outcomes()},
		{"documents behind long texts count as gone", []edit{
			{docs, "\tids = ids[:done]\n", ""},
		}, outcomes()},
		{"documents of an older format stay", []edit{
			{prepare, "p.base.DocumentFormat != surgical.DocumentFormat", "p.base.DocumentFormat > surgical.DocumentFormat"},
		}, outcomes()},
		{"nothing is embedded again for another model", []edit{
			{prepare, `return p.store.model != "" && p.base.EmbeddingModel != p.store.model`, "return false"},
		}, outcomes()},
		{"what changed without a model counts as embedded", []edit{
			{prepare, `p.store.model == "" && p.base != nil && p.change.Scope.Empty()`, `p.store.model == "" && p.base != nil`},
		}, outcomes()},
		{"embeddings of another model are current", []edit{
			{docs, `(model == "" || e.Model == model)`, `(model == "" || true)`},
		}, outcomes()},
		{"a chunk does not name its origin", []edit{
			{"internal/render/chunk.go", "origin.context(from) + withoutImitations(body)", "origin.context(from)[:0] + withoutImitations(body)"},
		}, outcomes()},
		{"a chunk may imitate another", []edit{
			{"internal/render/chunk.go", "withoutImitations(body)", "body"},
		}, outcomes()},
		{"a failed job stops the others", []edit{
			{"internal/workflow/runner.go", "\t\t\tfailures = append(failures, err)\n", "\t\t\treturn nil, err\n"},
		}, outcomes()},
		{"a failure hides that a run got on", []edit{
			{"internal/workflow/runner.go", "case errors.Is(err, ErrOutOfTime) && gotOn:", "case errors.Is(err, ErrOutOfTime) && gotOn && len(failures) == 0:"},
		}, []suite{recovery()}},
		{"a failure is handed on without progress", []edit{
			{"internal/workflow/runner.go", "case errors.Is(err, ErrOutOfTime) && gotOn:", "case errors.Is(err, ErrOutOfTime):"},
		}, []suite{recovery()}},
		{"a dirty source is deleted before its embeddings are current", []edit{
			{finish, "\tif f.done.settled {", "\tif f.done.settled || f.done.next != nil {"},
		}, outcomes()},
	}
}
