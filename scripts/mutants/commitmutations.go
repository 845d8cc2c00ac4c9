package main

// commitMutations break how a version is staged and committed in one transaction.
func commitMutations() []mutation {
	const attempt, closing, runs, engine, prepare = "internal/worker/attempt.go", "internal/ledger/close.go", "internal/ledger/runs.go", "internal/worker/engine.go", "internal/content/prepare.go"
	return []mutation{
		{"a message is accepted that could not be sent again", []edit{
			{"internal/queue/sender.go", "\tif err := checkMessageID(r); err != nil {\n\t\treturn surgical.Request{}, fmt.Errorf(\"message: %w\", err)\n\t}\n", ""},
		}, outcomes()},
		{"giving up without looking at committed_by", []edit{
			{closing, "c.attempt != 0 && (run.Committed() || run.Attempt != c.attempt)", "c.attempt != 0 && run.Attempt != c.attempt"},
			{closing, "condition = condition.And(held(run))", "condition = condition.And(running())"},
			{closing, "condition = condition.And(uncommitted())", ""},
		}, outcomes()},
		{"continuing from local variables after a lost response", []edit{
			{attempt, "\trow, err := e.Ledger.Run(ctx, run.RunID)\n\tif err != nil {", "\tif !dynamo.Contended(failure) {\n\t\treturn nil, ingestFailed(failure)\n\t}\n\trow, err := e.Ledger.Run(ctx, run.RunID)\n\tif err != nil {"},
			{engine, "case run.Committed():\n\t\treturn e.afterCommit(ctx, run, nil)\n\t", ""},
		}, outcomes()},
		{"children deleted by workers", []edit{
			{attempt, "\t// The answer may have been lost, or", "\tif err := e.Content.DropStaged(ctx, p.changes); err != nil {\n\t\treturn nil, ingestFailed(err)\n\t}\n\t// The answer may have been lost, or"},
			{"internal/content/stage.go", "// ExpireSuperseded lets", "func (s *Store) DropStaged(ctx context.Context, changes []*Change) error {\n\tfor _, c := range changes {\n\t\tfor _, item := range c.staged {\n\t\t\tif _, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.table, Key: dynamo.Item{\"pk\": item.item()[\"pk\"], \"sk\": item.item()[\"sk\"]}}); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t}\n\t}\n\treturn nil\n}\n\n// ExpireSuperseded lets"},
		}, outcomes()},
		{"child keys without the attempt", []edit{
			{"internal/surgical/attemptid.go", "strconv.FormatInt(a.Number, 10)", "strconv.FormatInt(min(a.Number, 1), 10)"},
		}, outcomes()},
		{"jobs left pending when a run ends", []edit{
			{closing, "\tfor _, job := range open {\n", "\tfor _, job := range open[:0] {\n"},
		}, outcomes()},
		{"jobs listed without the counter", []edit{
			{closing, ".\n\t\tAnd(expression.Name(\"jobs_inserted\").Equal(expression.Value(run.JobsInserted)))", ""},
		}, outcomes()},
		{"the message is deleted before its workflow is started", []edit{
			{attempt, "\t\treturn e.unknown(fmt.Errorf(\"launch the workflow of run %s: %w\", run.RunID, err))", "\t\t_ = fmt.Errorf\n\t\treturn Done{}"},
			{"internal/sweep/sweep.go", "case run.Generation == 0:\n\t\treturn s.start(ctx, run, 1, report)", "case run.Generation == 0:\n\t\treturn nil"},
		}, outcomes()},
		{"documents_visible_from is not carried over", []edit{
			{prepare, "head.DocumentsVisibleFrom = p.change.Base.DocumentsVisibleFrom", "head.DocumentsVisibleFrom = 0"},
		}, outcomes()},
		{"turning confidential hides nothing", []edit{
			{prepare, "return p.base != nil && now.Confidential && !p.change.Base.Attributes.Confidential", "return false && now.Confidential"},
		}, outcomes()},
		{"a redelivered message retries its failed run", []edit{
			{engine, "|| msg.Origin != surgical.OriginWebhook || slices.Contains(run.MessageIDs, msg.ID)", "|| msg.Origin != surgical.OriginWebhook"},
		}, outcomes()},
		{"a message ends with a run of other entities", []edit{
			{engine, "if seen.run != nil && !seen.run.SameEntities(msg.Request) {", "if false {"},
		}, []suite{recovery()}},
		{"the id of a delivery's run leaves the entity out", []edit{
			{"internal/surgical/request.go", "RunID(OriginWebhook, name+\"\\x00\"+ref.Key())", "RunID(OriginWebhook, name)"},
		}, []suite{recovery()}},
		{"a signed delivery is named by the key that no signature covers", []edit{
			{"internal/webhook/handler.go", "if delivery.Signed(d.header) {", "if false {"},
		}, []suite{recovery()}},
		{"a claim does not count a lost lease", []edit{
			{runs, "update = update.Add(expression.Name(\"lost_leases\"), expression.Value(1))", "update = update.Add(expression.Name(\"lost_leases\"), expression.Value(0))"},
		}, outcomes()},
		{"one message of a group is delayed, but not those behind it", []edit{
			{"internal/worker/batch.go", "b.delay(ctx, l.items, after)", "b.delay(ctx, l.items[:1], after)"},
		}, outcomes()},
		{"messages behind a waiting one are deleted", []edit{
			{"internal/worker/batch.go", "b.delay(ctx, l.items, after)\n", "b.delay(ctx, l.items, after)\n\t\tl.items = l.items[:1]\n"},
		}, outcomes()},
		{"a run that lost a lease shares a batch", []edit{
			{engine, "case deaths(run) > 0 && !isolated:", "case false && !isolated:"},
		}, []suite{recovery()}},
		{"a run that lost a lease shares a batch after an orderly failure", []edit{
			{engine, "case deaths(run) > 0 && !isolated:", "case !run.LeaseUntil.IsZero() && !isolated:"},
		}, []suite{invariants()}},
		{"the run with the most lost leases comes first", []edit{
			{"internal/worker/batch.go", "cmp.Compare(x.isolate.Deaths, y.isolate.Deaths)", "cmp.Compare(y.isolate.Deaths, x.isolate.Deaths)"},
		}, []suite{recovery()}},
		{"an emptied list is believed", []edit{
			{"internal/worker/commit.go", "\tif err != nil {\n\t\treturn plan{doubts: since}, err\n\t}\n", ""},
		}, []suite{recovery()}},
		{"an emptied list is never believed", []edit{
			{"internal/worker/doubt.go", "if !before || snap.FetchedAt.Before(first.Add(surgical.Confirmation)) {", "if first.IsZero() || true {"},
		}, []suite{recovery()}},
		{"a first copy is stored without comments that GitLab counts", []edit{
			{"internal/worker/doubt.go", "kind == surgical.KindDiscussion && snap.UnseenComments() > change.Base.UnseenComments", "kind == surgical.KindDiscussion && snap.UnseenComments() < 0"},
		}, []suite{recovery()}},
		{"comments that the token may not see delay every run", []edit{
			{"internal/worker/doubt.go", "snap.UnseenComments() > change.Base.UnseenComments", "snap.UnseenComments() > 0"},
		}, []suite{recovery()}},
		{"what is left out of a list is not said", []edit{
			{"internal/worker/commit.go", "\tjob.Warn(warnings...)\n", ""},
		}, []suite{recovery()}},
		{"a list that is believed vouches for others", []edit{
			{"internal/worker/doubt.go", "first, before := run.DoubtedSince[target][kind]\n", "first, before := run.DoubtedSince[target][kind]\n\t\t\tfor _, other := range run.DoubtedSince[target] {\n\t\t\t\tfirst, before = other, true\n\t\t\t}\n"},
		}, []suite{recovery()}},
		{"a list that was seen whole stays doubted", []edit{
			{"internal/worker/doubt.go", "\t\trun.DoubtedSince = since\n", "\t\tfor target, kinds := range since {\n\t\t\tfor kind, first := range kinds {\n\t\t\t\tif run.DoubtedSince == nil {\n\t\t\t\t\trun.DoubtedSince = surgical.Doubts{}\n\t\t\t\t}\n\t\t\t\trun.DoubtedSince.Add(target, kind, first)\n\t\t\t}\n\t\t}\n"},
		}, []suite{recovery()}},
		{"a drain takes over what an open run left dirty", []edit{
			{"internal/ledger/left.go", "\treturn run, run.Status.Terminal(), err\n", "\treturn run, run.Status != \"\", err\n"},
		}, outcomes()},
		{"a run takes nothing along", []edit{
			{"internal/worker/commit.go", "p.run.RetryOf == \"\" && !slices.Contains(marked, ref)", "p.run.RetryOf == \"\" || len(marked) < 0"},
		}, []suite{invariants()}},
		{"a run that ends marks nothing that it leaves undone", []edit{
			{"internal/ledger/left.go", "\t\treturn !undone\n", "\t\treturn undone || !undone\n"},
		}, []suite{invariants()}},
		{"what a run takes along stays", []edit{
			{"internal/ledger/left.go", "\t\ttaken := of.Rows[:min(len(of.Rows), room-len(rows))]\n", "\t\ttaken := of.Rows[:0]\n"},
		}, []suite{invariants()}},
		{"a mark is cleared although another run has left something since", []edit{
			{"internal/ledger/left.go", "WithCondition(expression.Name(\"by\").Equal(expression.Value(of.by)))", "WithCondition(expression.Name(\"by\").NotEqual(expression.Value(\"\")))"},
		}, []suite{invariants()}},
		{"a run takes along what was left on purpose", []edit{
			{"internal/worker/commit.go", "left.Unintended()", "left"},
		}, []suite{invariants()}},
		{"a run without docs takes along what is left", []edit{
			{"internal/worker/commit.go", "\tif p.run.Options.NoDocs || ", "\tif "},
		}, []suite{invariants()}},
		{"items carried over expire", []edit{
			{"internal/content/prepare.go", "\t\t\tnext[child] = old\n\t\t\tcontinue\n", "\t\t\tnext[child] = old\n\t\t\tp.supersede(old.allKeys(child, lists[child]), nil)\n\t\t\tcontinue\n"},
		}, outcomes()},
		{"pieces that a new version still names expire", []edit{
			{prepare, "without(were, still)...", "without(were, still[:0])..."},
		}, []suite{invariants()}},
		{"pieces of a document that its new version still names expire", []edit{
			{"internal/content/documents.go", "without(replaced[id].textKeys(), now[id].textKeys())", "replaced[id].textKeys()"},
		}, []suite{invariants()}},
		{"pieces are never used again", []edit{
			{prepare, "p.stageChild(child, next[child].Hash, lists[child])", "p.stageChild(child, next[child].Hash, nil)"},
		}, []suite{invariants()}},
		{"pieces of a hidden document are used again", []edit{
			{"internal/content/documents.go", "if old.Revision < head.DocumentsVisibleFrom {", "if old.Revision < 0 {"},
		}, []suite{invariants()}},
		{"a changed part of the manifest is not staged", []edit{
			{prepare, "return !slices.Equal(hashes[i], p.base.Parts.Refs[i].hash)", "return i > 0 && !slices.Equal(hashes[i], p.base.Parts.Refs[i].hash)"},
		}, outcomes()},
	}
}
