package main

// mutations break, one at a time, the rules that tests must protect.
func mutations() []mutation {
	var all []mutation
	for _, list := range [][]mutation{guardMutations(), evidenceMutations(), hideMutations(), commitMutations(), stageMutations(), sweepMutations(), walkMutations(), projectMutations(), passMutations(), expressionMutations(), deployMutations()} {
		all = append(all, list...)
	}
	return all
}

func outcomes() []suite { return []suite{model(), invariants()} }

func guardMutations() []mutation {
	const guard, change, engine = "internal/surgical/guard.go", "internal/content/change.go", "internal/worker/engine.go"
	return []mutation{
		{"guard without the equality case of updated_at", []edit{
			{guard, "!h.UpdatedAt.After(s.UpdatedAt)", "h.UpdatedAt.Before(s.UpdatedAt)"},
		}, outcomes()},
		{"guard without fetched_until", []edit{
			{guard, "!h.Overlaps(s) &&\n\t\t", ""},
			{change, ".\n\t\tAnd(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.UnixMicro())))", ""},
		}, outcomes()},
		{"guard without updated_at", []edit{
			{guard, "(!h.UpdatedAt.After(s.UpdatedAt) || !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation)))", "s.Requests >= 0"},
			{change, ".\n\t\tAnd(expression.Name(\"updated_at\").LessThanEqual(expression.Value(snap.UpdatedAt.UnixMicro())).\n\t\t\tOr(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro()))))", ""},
		}, outcomes()},
		{"guard without confirmation", []edit{
			{guard, " || !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation))", ""},
		}, outcomes()},
		{"guard that confirms from the beginning of the head's fetch", []edit{
			{guard, " || !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation))", " || !h.FetchedAt.After(s.FetchedAt.Add(-Confirmation))"},
		}, outcomes()},
		{"guard off", []edit{
			{guard, "return !h.Exists() || !h.Overlaps(s) &&\n\t\t(!h.UpdatedAt.After(s.UpdatedAt) || !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation)))", "return true || s.Requests > 0"},
			{change, ".\n\t\tAnd(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.UnixMicro()))).\n\t\tAnd(expression.Name(\"updated_at\").LessThanEqual(expression.Value(snap.UpdatedAt.UnixMicro())).\n\t\t\tOr(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro()))))", ""},
		}, outcomes()},
		{"no settle time", []edit{{"internal/surgical/limits.go", "Settle = 2 * time.Second", "Settle = 0 * time.Second"}}, outcomes()},
		{"a head that exists covers every event", []edit{
			{guard, "return h.Exists() && Covers(h.FetchedAt, eventAt)", "return h.Exists()"},
		}, outcomes()},
		{"a refused fetch is skipped although the head does not cover the event", []edit{
			{"internal/worker/commit.go", "case req.CoveredBy(heads[i]), run.Origin == surgical.OriginHide:", "case heads[i].Exists():"},
		}, outcomes()},
		{"a fetch starts before it covers the newest event", []edit{
			{engine, "if now.Before(msg.NotBefore) {", "if false {"},
		}, outcomes()},
	}
}

// evidenceMutations break what follows from a copy that contradicts what is known.
func evidenceMutations() []mutation {
	const evidence, followUp, commit, engine = "internal/surgical/evidence.go", "internal/surgical/followup.go", "internal/worker/commit.go", "internal/worker/engine.go"
	const ledger, sweep = "internal/ledger/followup.go", "internal/sweep/sweep.go"
	return []mutation{
		{"a head covers an event without its evidence", []edit{
			{followUp, " && h.sight().shows(r.Evidence, r.EventAt)", ""},
		}, outcomes()},
		{"a head covers a confirmation that it came before", []edit{
			{followUp, " && !(r.Confirms && h.FetchedAt.Before(r.NotBefore))", ""},
		}, outcomes()},
		{"the event's date is not evidence", []edit{
			{evidence, "s.updatedAt.Before(e.UpdatedAt) || ", ""},
		}, outcomes()},
		{"the event's note is not evidence", []edit{
			{evidence, " || !s.notes.Reach(e.notes())", ""},
		}, outcomes()},
		{"the id of a note is not evidence", []edit{{evidence, "n.MaxID >= others.MaxID && ", ""}}, outcomes()},
		{"the time of a note is not evidence", []edit{{evidence, " && !n.MaxUpdatedAt.Before(others.MaxUpdatedAt)", ""}}, outcomes()},
		{"a date of the future proves something", []edit{
			{evidence, "s.updatedAt.After(s.fetchedAt) && ", "s.updatedAt.IsZero() && "},
		}, outcomes()},
		{"an event that is older than the head proves something", []edit{
			{followUp, " && !r.outOfDate(replaced, shown)", ""},
		}, outcomes()},
		{"the replaced head is not evidence", []edit{
			{followUp, "if replaced.HasCopy() &&", "if false && replaced.Exists() && !replaced.Gone &&"},
		}, outcomes()},
		{"the replaced head is evidence for ever", []edit{
			{followUp, "shown.FetchedAt.Before(replaced.FetchedUntil.Add(Confirmation)) && ", ""},
		}, outcomes()},
		{"a contradiction is not followed up", []edit{
			{commit, "\t\tif next != nil {\n\t\t\tp.follow(*next)\n\t\t}\n", "\t\t\t_ = next\n"},
		}, outcomes()},
		{"a fetch that is refused for its date is not followed up", []edit{
			{commit, "\t\t\tp.follow(req.Refused(heads[i], snap, now))\n", ""},
		}, outcomes()},
		{"a fetch that is refused for its date is repeated", []edit{
			{commit, "case !heads[i].Overlaps(snap):", "case false && !heads[i].Overlaps(snap):"},
		}, outcomes()},
		{"a confirmation comes at once", []edit{
			{followUp, "later(h.FetchedUntil, r.EventAt.Add(Settle)).Add(Confirmation)", "later(h.FetchedUntil, r.EventAt.Add(Settle))"},
		}, outcomes()},
		{"no follow-up after the confirmation time", []edit{
			{followUp, "{FollowUpSoon, FollowUpLater, Confirmation}", "{FollowUpSoon, FollowUpLater}"},
			{followUp, "return now, fetchedAt.Before(lastFollowUp(eventAt))", "return now, false && fetchedAt.Before(now)"},
		}, outcomes()},
		{"follow-ups without an end", []edit{
			{followUp, "return now, fetchedAt.Before(lastFollowUp(eventAt))", "return now, !fetchedAt.IsZero()"},
		}, outcomes()},
		{"a new entity that a replica does not have is lost", []edit{
			{followUp, "if !r.ofEvent() || h.HasCopy()", "if true || !r.ofEvent() || h.HasCopy()"},
		}, outcomes()},
		{"a merged follow-up loses the evidence that was pending", []edit{
			{followUp, "\tadded.Evidence = f.Evidence.Merge(added.Evidence)\n", ""},
		}, outcomes()},
		{"a merged follow-up loses the confirmation that was pending", []edit{
			{followUp, "\tadded.ConfirmAt = later(f.ConfirmAt, added.ConfirmAt)\n", ""},
		}, outcomes()},
		{"a follow-up that is due early loses its confirmation", []edit{
			{followUp, "\t\trest = &left\n", "\t\t_ = left\n"},
		}, outcomes()},
		{"internal notes are evidence for a token that sees none", []edit{
			{engine, "return run.Evidence.WithoutInternalNote(), nil", "return run.Evidence, nil"},
		}, outcomes()},
		{"a batch does not share its evidence", []edit{
			{"internal/worker/batch.go", "l.items[i].msg.Evidence = evidence", "_ = evidence"},
		}, outcomes()},
		{"a follow-up is begun although it moved", []edit{
			{ledger, "return expression.Name(\"by\").Equal(expression.Value(f.By.String())).\n\t\tAnd(expression.Name(\"not_before\").Equal(expression.Value(dynamo.Micros(f.NotBefore))))", "return expression.AttributeExists(expression.Name(\"by\"))"},
		}, outcomes()},
		{"a follow-up starts before it is due", []edit{
			{ledger, "(err != nil || !f.NotBefore.After(due)) && !yield(f, err)", "!yield(f, err)"},
		}, outcomes()},
		{"the message of a follow-up is not sent", []edit{
			{sweep, "\tif err := s.Requests.Send(ctx, run.Request); err != nil {\n\t\treturn fmt.Errorf(\"send follow-up %s: %w\", run.RunID, err)\n\t}\n", ""},
		}, outcomes()},
	}
}

// hideMutations break what hides an entity, or brings it back.
func hideMutations() []mutation {
	const guard, change, tombstone = "internal/surgical/guard.go", "internal/content/change.go", "internal/content/tombstone.go"
	const missing, commit, attempt = "internal/worker/missing.go", "internal/worker/commit.go", "internal/worker/attempt.go"
	return []mutation{
		{"a missing entity stays visible", []edit{
			{missing, "\t\tif heads[ref].HasCopy() {\n", "\t\tif heads[ref].Gone {\n"},
		}, outcomes()},
		{"any run's 404 hides", []edit{
			{attempt, "\tif run.Origin == surgical.OriginHide {\n", "\tif run.Origin != surgical.OriginDrain && len(run.Targets) == 1 {\n"},
		}, outcomes()},
		{"a 404 hides a copy that is younger than the confirmation time", []edit{
			{guard, "return h.HasCopy() && !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation))", "return h.HasCopy() && !h.Overlaps(s)"},
			{change, "return unmoved(base).And(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro())))", "return unmoved(base).And(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.UnixMicro())))"},
		}, outcomes()},
		{"a 404 of a young copy is forgotten", []edit{
			{commit, "\t\t\t\tp.follow(req.Unconfirmed(heads[i], now))\n", ""},
		}, outcomes()},
		{"a hide run is not verified", []edit{
			{commit, "\tif req.Origin == surgical.OriginHide {\n", "\tif req.Origin == surgical.OriginDrain {\n"},
		}, outcomes()},
		{"a project out of sight hides its entities", []edit{
			{missing, "\tif err != nil {\n\t\tf.failed[0] = fetchError(err)\n", "\tif false {\n\t\tf.failed[0] = fetchError(err)\n"},
		}, []suite{invariants()}},
		{"a tombstone leaves the documents visible", []edit{
			{tombstone, "DocumentsVisibleFrom: change.Revision,", "DocumentsVisibleFrom: was.DocumentsVisibleFrom,"},
		}, outcomes()},
		{"what a tombstone no longer names does not expire", []edit{
			{tombstone, "\tchange.superseded = m.keys(lists)\n", "\t_ = lists\n"},
		}, []suite{invariants()}},
		{"a tombstone keeps what lists show", []edit{
			{tombstone, "HiddenSince: dynamo.Micros(was.HiddenSince), Gone: true,", "HiddenSince: dynamo.Micros(was.HiddenSince), Gone: true, Attributes: itemOfAttributes(was.Attributes),"},
		}, []suite{invariants()}},
		{"a hide request hides nothing", []edit{
			{"internal/worker/hide.go", "\tif !hides {\n", "\tif !hides || head.Revision > 0 {\n"},
		}, outcomes()},
		{"a hide request leaves no head where there is no copy", []edit{
			{"internal/worker/hide.go", "\tif !hides {\n", "\tif !hides || !head.Exists() {\n"},
		}, outcomes()},
		{"a hide request waits for the end of a pause", []edit{
			{"internal/worker/engine.go", "\tif msg.Hides {\n\t\treturn e.hide(ctx, msg)\n\t}\n", "\tif pause, err := e.Ledger.Pause(ctx); msg.Hides && err == nil && !pause.After(e.Clock()) {\n\t\treturn e.hide(ctx, msg)\n\t}\n"},
		}, []suite{invariants()}},
		{"a hide request that comes late hides a confirmed copy", []edit{
			{guard, "if h.HasCopy() && !h.FetchedAt.Before(since.Add(Confirmation)) {", "if h.HasCopy() && h.FetchedAt.IsZero() {"},
		}, outcomes()},
		{"an earlier hide request overrides a later one", []edit{
			{guard, "return later(h.HiddenSince, since), true", "return since, true"},
		}, outcomes()},
		{"hidden_since is not carried on", []edit{
			{"internal/content/prepare.go", "head.HiddenSince = dynamo.Micros(p.change.Base.StaysHidden(snap.FetchedAt, attributes.Confidential))", "head.HiddenSince = 0"},
		}, outcomes()},
		{"any public copy clears hidden_since", []edit{
			{guard, "if !confidential && !fetchedAt.Before(h.HiddenSince.Add(Confirmation)) {", "if !confidential && !fetchedAt.Before(h.HiddenSince) {"},
		}, outcomes()},
		{"a confidential copy clears hidden_since", []edit{
			{guard, "if !confidential && !fetchedAt.Before(h.HiddenSince.Add(Confirmation)) {", "if confidential || !fetchedAt.Before(h.HiddenSince.Add(Confirmation)) {"},
		}, outcomes()},
		{"what a hide request hid stays hidden", []edit{
			{"internal/worker/hide.go", "[]types.TransactWriteItem{hide, next})", "[]types.TransactWriteItem{hide, next}[:1])"},
		}, outcomes()},
		{"a commit loses a hide request that came in between", []edit{
			{change, "return expression.Name(\"revision\").Equal(expression.Value(base.Revision)).And(asRead)", "_ = asRead\n\treturn expression.Name(\"revision\").Equal(expression.Value(base.Revision))"},
		}, outcomes()},
		{"the webhook sends no hide request", []edit{
			{"internal/webhook/handler.go", "if req.Evidence.Confidential {", "if false {"},
		}, []suite{recovery()}},
		{"a copy that is hidden is read", []edit{
			{"internal/surgical/visible.go", "case !h.HiddenSince.IsZero() && !h.Attributes.Confidential:", "case h.Revision < 0:"},
		}, outcomes()},
		{"an entity that is gone is read", []edit{
			{"internal/surgical/visible.go", "case h.Exists() && h.Gone:", "case h.Exists() && h.Gone && h.Revision < 0:"},
		}, outcomes()},
	}
}

func commitMutations() []mutation {
	const attempt, closing, runs, engine, prepare = "internal/worker/attempt.go", "internal/ledger/close.go", "internal/ledger/runs.go", "internal/worker/engine.go", "internal/content/prepare.go"
	return []mutation{
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
		{"a list that is believed vouches for others", []edit{
			{"internal/worker/doubt.go", "first, before := run.DoubtedSince[target][kind]\n", "first, before := run.DoubtedSince[target][kind]\n\t\t\tfor _, other := range run.DoubtedSince[target] {\n\t\t\t\tfirst, before = other, true\n\t\t\t}\n"},
		}, []suite{recovery()}},
		{"a list that was seen whole stays doubted", []edit{
			{"internal/worker/doubt.go", "\t\trun.DoubtedSince = d.since\n", "\t\t_ = d.since\n\t\tfor target, kinds := range d.since {\n\t\t\tfor kind, first := range kinds {\n\t\t\t\tif run.DoubtedSince == nil {\n\t\t\t\t\trun.DoubtedSince = surgical.Doubts{}\n\t\t\t\t}\n\t\t\t\trun.DoubtedSince.Add(target, kind, first)\n\t\t\t}\n\t\t}\n"},
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

func stageMutations() []mutation {
	const prepare = "internal/content/prepare.go"
	const docs, embeddings, documents, jobs, hide = "internal/workflow/documents.go", "internal/content/embeddings.go", "internal/content/documents.go", "internal/ledger/jobs.go", "internal/content/hide.go"
	return []mutation{
		{"regenerated is decided before the document is written", []edit{
			{docs, "\tif len(current) == 0 {", "\tif len(current) >= 0 {"},
		}, outcomes()},
		{"regenerated counts documents written, not documents to embed", []edit{
			{docs, "\tstale, err := s.stale(ctx, view.Head, rendered, before.Embeddings)\n\treturn made{int64(len(puts)), stale, warnings}, err", "\tvar stale []string\n\tfor _, put := range puts {\n\t\tstale = append(stale, put.ID)\n\t}\n\treturn made{int64(len(puts)), stale, warnings}, nil"},
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
		{"dirty ids by query", []edit{
			{jobs, "\t\titems = append(items, l.deleteDirty(job.Ref, job.DirtyID))", "\t\tsources, err := l.DirtySources(ctx, job.Ref)\n\t\tif err != nil {\n\t\t\treturn err\n\t\t}\n\t\tfor _, source := range sources {\n\t\t\titems = append(items, l.deleteDirty(job.Ref, source.ID))\n\t\t}"},
		}, outcomes()},
		{"a no_embed run embeds", []edit{
			{docs, "\tif run.Options.NoEmbed {\n\t\treturn ledger.LeftDirty()\n\t}", "\tif false && run.Options.NoEmbed {\n\t\treturn ledger.LeftDirty()\n\t}"},
		}, outcomes()},
		{"finish closes a run with open jobs", []edit{
			{"internal/ledger/close.go", "if c.status == surgical.StatusSucceeded && slices.ContainsFunc(jobs, surgical.Job.Open) {", "if false && slices.ContainsFunc(jobs, surgical.Job.Open) {"},
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
			{docs, "case errors.As(err, &unreadable) && !unreadable.Retryable:", "case errors.As(err, &unreadable) && unreadable.Retryable:"},
		}, outcomes()},
		{"documents of an older format stay", []edit{
			{prepare, "p.base.DocumentFormat != surgical.DocumentFormat", "p.base.DocumentFormat > surgical.DocumentFormat"},
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
			{jobs, "\tif done.settled {", "\tif done.settled || done.next != nil {"},
		}, outcomes()},
	}
}

// walkMutations break how a long list is read while it changes, and how hooks are looked
// after.
func walkMutations() []mutation {
	const walk = "internal/gitlab/walk.go"
	const watch, log = "internal/crawl/hooks.go", "internal/crawl/deliveries.go"
	hooks := []suite{{name: "hooks", args: []string{"./internal/crawl", "-run", "TestWatchHooks"}}}
	walks := []suite{{name: "walks", args: []string{"./internal/gitlab", "-run", "TestClientList|TestClientGroup|TestClientAll", "-rapid.nofailfile"}}}
	return []mutation{
		{"pages of one date are not read again", []edit{{walk, "\tcase s.page > 1:\n\t\treturn &step{by: s.by, from: s.from, page: s.page - 1, back: true", "\tcase s.page > 1 && s.back:\n\t\treturn &step{by: s.by, from: s.from, page: s.page - 1, back: true"}}, walks},
		{"a list ends where records may have moved to its end", []edit{{walk, "return s.ended(o, s.from+1), nil", "return s.ended(order{}, 0), nil"}}, walks},
		{"a list that began anywhere is believed", []edit{{walk, "case v < last || o.exclusive && v == last:", "case v < 0:"}}, walks},
		{"a failed delivery is left to the lists", []edit{{log, "\t\t\tif !e.Failed() {\n", "\t\t\tif !e.Failed() || e.ID > 0 {\n"}}, hooks},
		{"what a failed delivery calls confidential is shown until it is fetched", []edit{{log, "\t\terr = w.Bulk.Send(ctx, req.HideRequest())\n", ""}}, hooks},
		{"a delivery that fails again makes another run", []edit{{log, "RunID: surgical.DeliveryRunID(name, ref)", "RunID: surgical.DeliveryRunID(fmt.Sprint(name, e.ID), ref)"}}, hooks},
		{"what was read of a log is recorded before its runs", []edit{{log, "\t\t\trequested, err := w.recover(ctx, owner, *check, e)\n\t\t\tif err != nil {\n\t\t\t\treturn nil, false, err\n\t\t\t}\n", "\t\t\trequested, _ := w.recover(ctx, owner, *check, e)\n"}}, hooks},
		{"the first finding raises the alarm", []edit{{watch, "if next.Findings > 1 {", "if next.Findings > 0 {"}}, hooks},
		{"a hook that gets no deliveries works", []edit{{watch, "silent != \"\" {", "silent == \"?\" {"}}, hooks},
		{"a large page stops a walk", []edit{{walk, "|| s.size == 1 {", "|| s.size > 0 {"}}, walks},
	}
}

// projectMutations break what follows when GitLab does not show a project itself.
func projectMutations() []mutation {
	const sighting, change = "internal/surgical/outofsight.go", "internal/ledger/projectchange.go"
	watches, names := []suite{{name: "watch", args: []string{"./internal/projects"}}}, []suite{{name: "hidden projects", args: []string{"./internal/api", "-run", "TestHideProjects"}}}
	crawls := []suite{{name: "crawls", args: []string{"./internal/crawl", "-run", "TestCrawl_"}}}
	return []mutation{
		{"a project out of sight is hidden at once", []edit{{sighting, "unseen && !at.Before(due) && p.HiddenAt.Before(due)", "p.HiddenAt.Before(due)"}}, crawls},
		{"a project out of sight is never hidden", []edit{{sighting, "unseen && !at.Before(due) && p.HiddenAt.Before(due)", "unseen && at.Before(due) && !p.HiddenAt.Before(due)"}}, crawls},
		{"a project out of sight is not restored when it is back", []edit{{sighting, "Restore: unseen && !p.HiddenAt.Before(p.UnseenSince)", "Restore: unseen && p.HiddenAt.IsZero()"}}, crawls},
		{"a backfill leaves hidden what it had compared before", []edit{{"internal/surgical/backfill.go", "p.Kind != PassBackfill || p.Status", "p.Kind != \"\" || p.Status"}}, crawls},
		{"a reconcile stops once it awaits as much as it may", []edit{{"internal/crawl/cycle.go", "\tif v.pass.Kind != surgical.PassReconcile {\n\t\treturn false, nil", "\tif v.pass.Kind != \"\" {\n\t\treturn false, nil"}},
			[]suite{{name: "full cycles", args: []string{"./internal/crawl", "-run", "TestReconcile_FindsMoreThanMayBeOutstanding"}}}},
		{"a project out of sight for an outage is hidden", []edit{{sighting, "\tdefault:\n\t\treturn Sighting{}\n", "\tdefault:\n"}}, watches},
		{"a project out of sight is shown again by an earlier time", []edit{{change, "hidden.LessThan(expression.Value(dynamo.Micros(at)))", "hidden.GreaterThan(expression.Value(0))"}}, names},
	}
}

// passMutations break how lists are compared with copies, where the next list begins,
// and how much a pass may demand at a time.
func passMutations() []mutation {
	const pass, limit = "internal/surgical/pass.go", "internal/surgical/ratelimit.go"
	const visit, settle = "internal/crawl/visit.go", "internal/crawl/settle.go"
	passes := []suite{{name: "passes", args: []string{"./internal/crawl", "-run", "TestReconcile|TestBackfill"}}}
	return []mutation{
		{"pass: an entity that is listed stays gone", []edit{{pass, "case why != \"\" && why != Hidden:", "case why != \"\" && why != Hidden && why != Gone:"}}, passes},
		{"pass: an entity that is listed stays hidden with its project", []edit{{pass, "case why != \"\" && why != Hidden:", "case why != \"\" && why != Hidden && why != ProjectHidden:"}}, passes},
		{"pass: a hidden copy is fetched for every list", []edit{{pass, "case why != \"\" && why != Hidden:", "case why != \"\":"}}, passes},
		{"pass: an entry of a lagging list differs", []edit{{pass, "return !h.FetchedUntil.After(listedAt.Add(-Confirmation))", "return !h.FetchedUntil.After(listedAt)"}}, passes},
		{"pass: an older entry never differs", []edit{{pass, "return !h.FetchedUntil.After(listedAt.Add(-Confirmation))", "return listedAt.IsZero()"}}, passes},
		{"pass: a newer entry does not differ", []edit{{pass, "return e.UpdatedAt.After(h.UpdatedAt) || e.UserNotesCount != h.UserNotesCount", "return h.UpdatedAt.IsZero() || e.UserNotesCount != h.UserNotesCount"}}, passes},
		{"pass: the number of comments does not count", []edit{{pass, " || e.UserNotesCount != h.UserNotesCount", ""}}, passes},
		{"pass: a fetch from before the list settles", []edit{{pass, "case !h.FetchedAt.After(a.ListedAt), !h.FetchedAt.After(hiddenAt):", "case !h.FetchedAt.After(hiddenAt):"}}, passes},
		{"pass: a fetch from before the project was hidden settles", []edit{{pass, "case !h.FetchedAt.After(a.ListedAt), !h.FetchedAt.After(hiddenAt):", "case !h.FetchedAt.After(a.ListedAt):"}}, passes},
		{"pass: a lagging replica settles", []edit{{pass, "h.FetchedAt.After(a.ListedAt.Add(Confirmation)):", "h.FetchedAt.After(a.ListedAt):"}}, passes},
		{"pass: a replica without the newest comment settles", []edit{{pass, " && h.UserNotesCount >= a.UserNotesCount", ""}}, passes},
		{"pass: a deleted comment never settles", []edit{{pass, "case h.Gone, h.FetchedAt.After(a.ListedAt.Add(Confirmation)):", "case h.Gone:"}}, passes},
		{"pass: the next cycle does not overlap", []edit{{pass, "overlapped := l.Began.Add(-ReconcileOverlap)", "overlapped := l.Began"}}, passes},
		{"pass: a date in the future is the next checkpoint", []edit{{pass, "overlapped.Before(next)", "overlapped.Before(l.Since)"}}, passes},
		{"pass: the next cycle lists what was seen again", []edit{{pass, "next = l.Newest.Add(time.Millisecond)", "next = l.Newest"}}, passes},
		{"pass: any number of runs is queued at a time", []edit{{"internal/crawl/cycle.go", "v.pass.Outstanding+surgical.ListPage > surgical.MaxOutstanding", "v.pass.Outstanding < 0"}}, passes},
		{"pass: a catch-up list does not wait for the runs before it", []edit{{visit, "case v.pass.Legs[v.pass.Leg].CatchUp && v.pass.Outstanding > 0:", "case v.pass.Legs[v.pass.Leg].CatchUp && v.pass.Outstanding < 0:"}}, passes},
		{"pass: a catch-up list begins where the first list ended", []edit{{visit, "leg.Since = v.pass.Legs[0].Began.Add(-surgical.ReconcileOverlap)", "leg.Since = v.Clock()"}}, passes},
		{"pass: an ended run is counted as outstanding", []edit{{settle, "\t\t\tnext.Outstanding--\n", ""}}, passes},
		{"pass: the reserve is not left to webhooks", []edit{{limit, "l.Remaining*100 > l.Limit*WebhookReserve", "l.Remaining > 0"}}, passes},
		{"pass: nothing is left to a pass", []edit{{limit, "l.Remaining*100 > l.Limit*WebhookReserve", "l.Remaining > l.Limit"}}, passes},
		{"pass: a backfill's runs do not yield to webhooks", []edit{{limit, "return o == OriginBackfill || o == OriginReconcile", "return o == OriginReconcile"}}, passes},
	}
}

func sweepMutations() []mutation {
	const orphans, sweep = "internal/content/orphans.go", "internal/sweep/sweep.go"
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
		{"a throttled request that gets on ignores its deadline", []edit{
			{"internal/dynamo/pace.go", "if err := spare(ctx, pauseBefore(p.tries)+p.reserve); err != nil {", "if err := spare(ctx, pauseBefore(p.tries)+p.reserve); err != nil && p.idle >= maxIdle {"},
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
			{"internal/worker/attempt.go", "deadline.Add(-surgical.ThrottleReserve)", "deadline"},
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
			{"internal/sweep/backlog.go", "\tif b.embedded.After(refusedAt) {\n", "\tif !b.embedded.After(refusedAt) {\n"},
		}, outcomes()},
		{"a drain waits for the embedder although it works", []edit{
			{"internal/ledger/jobs.go", "if job.Type == surgical.JobEmbed && job.ChunksEmbedded > 0 {", "if false && job.Type == surgical.JobEmbed && job.ChunksEmbedded > 0 {"},
		}, outcomes()},
		{"an embed job that embedded nothing resumes the drains", []edit{
			{"internal/ledger/jobs.go", "if job.Type == surgical.JobEmbed && job.ChunksEmbedded > 0 {", "if job.Type == surgical.JobEmbed {"},
		}, outcomes()},
		{"a new dirty source hastens what failed", []edit{
			{"internal/sweep/backlog.go", "slices.MaxFunc(rows,", "slices.MinFunc(rows,"},
		}, outcomes()},
	}
}

// expressionMutations weaken a condition that DynamoDB evaluates. The
// conformance suite must catch each one on a real engine.
func expressionMutations() []mutation {
	const runs, jobs, sweep, left, state, retry = "internal/ledger/runs.go", "internal/ledger/jobs.go", "internal/ledger/sweep.go", "internal/ledger/left.go", "internal/ledger/state.go", "internal/ledger/retry.go"
	const change, closing, hide = "internal/content/change.go", "internal/ledger/close.go", "internal/content/hide.go"
	by := []suite{conformance()}
	return []mutation{
		{"expression: a commit by an attempt that lost the run", []edit{
			{runs, "return running().And(expression.Name(\"attempt\").Equal(expression.Value(run.Attempt)), uncommitted())", "return running().And(uncommitted())"},
		}, by},
		{"expression: a commit of a run that is committed", []edit{
			{runs, "return expression.AttributeNotExists(expression.Name(\"committed_by\"))", "return expression.AttributeNotExists(expression.Name(\"committed_by_nobody\"))"},
		}, by},
		{"expression: a commit of a run that has ended", []edit{
			{runs, "return expression.Name(\"status\").Equal(expression.Value(surgical.StatusRunning))", "return expression.AttributeExists(expression.Name(\"status\"))"},
		}, by},
		{"expression: a claim past a live lease", []edit{
			{runs, "And(attempt, lease, uncommitted())", "And(attempt, lease.Or(uncommitted()), uncommitted())"},
		}, by},
		{"expression: a claim of a job that is held", []edit{
			{jobs, "\n\t\t\tAnd(expression.Name(\"lease_until\").LessThanEqual(expression.Value(dynamo.Micros(now))).", "\n\t\t\tAnd(expression.AttributeExists(expression.Name(\"lease_until\"))."},
		}, by},
		{"expression: a claim of a job exactly at the end of its lease", []edit{
			{jobs, "expression.Name(\"lease_until\").LessThanEqual(", "expression.Name(\"lease_until\").LessThan("},
		}, by},
		{"expression: a job finished by a claim that lost it", []edit{
			{jobs, ".\n\t\tAnd(expression.Name(\"attempts\").Equal(expression.Value(job.Attempts)))", ""},
		}, by},
		{"expression: a message resent too soon", []edit{
			{sweep, ".Or(sent.LessThanEqual(expression.Value(dynamo.Micros(now.Add(-interval)))))", ".Or(expression.AttributeExists(sent))"},
		}, by},
		{"expression: a run retried twice", []edit{
			{retry, ".\n\t\t\tAnd(expression.AttributeNotExists(expression.Name(\"retried_by\")))", ""},
		}, by},
		{"expression: a pause that is shortened", []edit{
			{state, "Or(expression.Name(\"until\").LessThan(expression.Value(dynamo.Micros(until))))", "Or(expression.AttributeExists(expression.Name(\"until\")))"},
		}, by},
		{"expression: a dirty source drained twice", []edit{
			{left, "WithCondition(expression.AttributeExists(expression.Name(\"dirty_id\")))", "WithCondition(expression.AttributeExists(expression.Name(\"dirty_id\")).Or(expression.AttributeNotExists(expression.Name(\"dirty_id\"))))"},
		}, by},
		{"expression: the first head put over another", []edit{
			{change, "return expression.AttributeNotExists(expression.Name(\"pk\"))", "return expression.AttributeNotExists(expression.Name(\"pk_of_nobody\"))"},
		}, by},
		{"expression: a head put over a newer revision", []edit{
			{change, "expression.Name(\"revision\").Equal(expression.Value(base.Revision))", "expression.Name(\"revision\").GreaterThanEqual(expression.Value(base.Revision))"},
		}, by},
		{"expression: documents under a head that changed", []edit{
			{"internal/content/documents.go", "expression.Name(\"revision\").Equal(expression.Value(head.Revision)))", "expression.Name(\"revision\").GreaterThanEqual(expression.Value(head.Revision)))"},
		}, by},
		{"expression: embeddings of a document that changed", []edit{
			{"internal/content/embeddings.go", "expression.Name(\"hash\").Equal(expression.Value(d.Hash)).\n\t\tAnd(expression.Name(\"revision\").Equal(expression.Value(d.Revision))))", "expression.AttributeExists(expression.Name(\"hash\")))"},
		}, by},
		{"expression: a head put over one that GitLab changed later", []edit{
			{change, "expression.Name(\"updated_at\").LessThanEqual(", "expression.Name(\"revision\").LessThanEqual("},
		}, by},
		{"expression: a head put over one that was fetched later", []edit{
			{change, ".\n\t\tAnd(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.UnixMicro())))", ""},
		}, by},
		{"expression: a date that went back and is never confirmed", []edit{
			{change, ".\n\t\t\tOr(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro()))))", ")"},
		}, by},
		{"expression: a date that went back, confirmed too early", []edit{
			{change, "Or(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro()", "Or(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(1-surgical.Confirmation/2).UnixMicro()"},
		}, by},
		{"expression: jobs listed without the counter", []edit{
			{closing, ".\n\t\tAnd(expression.Name(\"jobs_inserted\").Equal(expression.Value(run.JobsInserted)))", ""},
		}, by},
		{"expression: finishing a job of a run that has ended", []edit{
			{jobs, "l.runUpdate(job.RunID, running(), ", "l.runUpdate(job.RunID, expression.AttributeExists(expression.Name(\"status\")), "},
		}, by},
		{"expression: hidden bytes removed without their condition", []edit{
			{hide, "TableName: &s.table, Key: key(ref, sk), ConditionExpression: expr.Condition(),\n\t\t\t\tExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),", "TableName: &s.table, Key: key(ref, sk),"},
			{hide, "expr expression.Expression) error {", "_ expression.Expression) error {"},
		}, by},
		{"expression: hidden bytes of the revision that hides", []edit{
			{hide, "expression.Name(\"revision\").LessThan(", "expression.Name(\"revision\").LessThanEqual("},
		}, by},
	}
}

func deployMutations() []mutation {
	const settings, up = "infra/context.go", "scripts/deploy/up.go"
	return []mutation{
		{"a stack is protected before it exists", []edit{
			{"infra/stack.go", "TerminationProtection: &s.Protected", "TerminationProtection: jsii.Bool(true)"},
		}, synthesis()},
		{"tables stay when the first creation fails", []edit{
			{"infra/tables.go", "RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE", "RemovalPolicy_RETAIN"},
		}, synthesis()},
		{"a misspelt setting deploys the default", []edit{
			{settings, "if slices.Contains(known, name) || ofCDK(name) {", "if slices.Contains(known, name) || ofCDK(name) || true {"},
		}, synthesis()},
		{"all projects are copied unless some are named", []edit{
			{settings, "v := r.text(name, \"\")\n\tif v == \"\" {\n\t\tr.errs", "v := r.text(name, \"*\")\n\tif v == \"\" {\n\t\tr.errs"},
		}, synthesis()},
		{"an update runs without protection", []edit{
			{up, "if before.created() {", "if before.created() && before.failedCreation() {"},
		}, deploying()},
		{"a deployment ends without protection", []edit{
			{up, "if err := cloud.protect(ctx); err != nil {", "if err := ctx.Err(); err != nil {"},
		}, deploying()},
		{"a failed creation stays protected", []edit{
			{up, "if before.protected {", "if before.protected && before.created() {"},
		}, deploying()},
	}
}

func synthesis() []suite { return []suite{{name: "synthesis", args: []string{"./infra"}}} }

// deploying needs every test of deployments, not only those of make test.
func deploying() []suite {
	return []suite{{name: "deploying", args: []string{"./scripts/deploy"}, env: []string{"LOREHOOK_FULL_DEPLOY=1"}}}
}
