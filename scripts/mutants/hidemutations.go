package main

// hideMutations break what hides an entity, or brings it back.
func hideMutations() []mutation {
	const guard, condition, tombstone = "internal/surgical/guard.go", "internal/content/guard.go", "internal/content/tombstone.go"
	const missing, commit, attempt = "internal/worker/missing.go", "internal/worker/commit.go", "internal/worker/attempt.go"
	return []mutation{
		{"a missing entity stays visible", []edit{
			{missing, "\t\tif heads[ref].HasCopy() {\n", "\t\tif heads[ref].Gone {\n"},
		}, outcomes()},
		{"any run's 404 hides", []edit{
			{attempt, "\tcase run.Origin == surgical.OriginHide:\n", "\tcase run.Origin != surgical.OriginDrain && len(run.Targets) == 1:\n"},
		}, outcomes()},
		{"a 404 hides a copy that is younger than the confirmation time", []edit{
			{guard, "return h.HasCopy() && !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation))", "return h.HasCopy() && !h.Overlaps(s)"},
			{condition, "return unmoved(base).And(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro())))", "return unmoved(base).And(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.UnixMicro())))"},
		}, outcomes()},
		{"a 404 of a young copy is forgotten", []edit{
			{commit, "\t\t\t\tp.follow(req.Unconfirmed(heads[i], now))\n", ""},
		}, outcomes()},
		{"a hide run is not verified", []edit{
			{commit, "\tif req.Origin == surgical.OriginHide {\n", "\tif req.Origin == surgical.OriginDrain {\n"},
		}, outcomes()},
		{"a project out of sight hides its entities", []edit{
			{missing, "\tif err == nil {\n\t\treturn true\n", "\tif err == nil || run.RunID != \"\" {\n\t\treturn true\n"},
		}, []suite{invariants()}},
		{"a tombstone leaves the documents visible", []edit{
			{tombstone, "DocumentsVisibleFrom: change.Revision,", "DocumentsVisibleFrom: was.DocumentsVisibleFrom,"},
		}, outcomes()},
		{"what a tombstone no longer names does not expire", []edit{
			{tombstone, "\tchange.superseded = m.keys(lists)\n", "\t_ = lists\n"},
		}, []suite{invariants()}},
		{"a tombstone keeps what lists show", []edit{
			{tombstone, "attributesItem{Confidential: was.Attributes.Confidential}", "itemOfAttributes(was.Attributes)"},
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
			{guard, "|| h.HasCopy() && !h.FetchedAt.Before(since.Add(Confirmation)) {", "|| h.HasCopy() && h.FetchedAt.IsZero() {"},
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
			{condition, "return expression.Name(\"revision\").Equal(expression.Value(base.Revision)).And(asRead, ", "_ = asRead\n\treturn expression.Name(\"revision\").Equal(expression.Value(base.Revision)).And("},
		}, outcomes()},
		{"the webhook sends no hide request", []edit{
			{"internal/webhook/handler.go", "if req.Evidence.Confidential {", "if false {"},
		}, []suite{recovery()}},
		{"a hide run waits behind the runs of passes", []edit{
			{"internal/surgical/origin.go", "case OriginReconcile, OriginBackfill, OriginCensus, OriginDrain:", "case OriginReconcile, OriginBackfill, OriginCensus, OriginDrain, OriginHide:"},
		}, []suite{recovery()}},
		{"a hide run waits for a message that nobody sends", []edit{
			{"internal/sweep/sweep.go", "s.Ledger.OpenRuns(ctx, surgical.StatusQueued, s.Clock()) {", "s.Ledger.OpenRuns(ctx, surgical.StatusQueued, s.Clock().Add(-surgical.SweepGrace)) {"},
		}, []suite{recovery()}},
		{"a copy that is hidden is read", []edit{
			{"internal/surgical/visible.go", "case !h.HiddenSince.IsZero() && !h.Attributes.Confidential:", "case h.Revision < 0:"},
		}, outcomes()},
		{"an entity that is gone is read", []edit{
			{"internal/surgical/visible.go", "case h.Gone:", "case h.Gone && h.Revision < 0:"},
		}, outcomes()},
	}
}

// sightMutations break what readers see of confidential issues and internal notes. The
// tests of the owning packages must notice each.
func sightMutations() []mutation {
	const visible, revision, shown, tombstone = "internal/surgical/visible.go", "internal/content/revision.go", "internal/content/shown.go", "internal/content/tombstone.go"
	return []mutation{
		{"an unknown setting includes what is confidential", []edit{{visible, "excludes := sight.Confidential != Include", "excludes := sight.Confidential == Exclude"}}, []suite{invariants()}},
		{"a confidential copy is read although it is excluded", []edit{{visible, "(h.Attributes.Confidential || ", "(h.Revision < 0 || "}}, []suite{invariants()}},
		{"a copy that a delivery called confidential is distinguished from an absent one", []edit{{visible, " || !h.HiddenSince.IsZero() && !h.Gone)", ")"}}, []suite{invariants()}},
		{"a document with an internal note is read although it is excluded", []edit{{visible, " && (s.Confidential == Include || !confidential)", ""}}, []suite{invariants()}},
		{"a hidden document is read", []edit{{visible, "return revision >= h.DocumentsVisibleFrom && ", "return "}}, []suite{invariants()}},
		{"an internal note is read although it is excluded", []edit{{visible, "return !internal && err == nil", "return (!internal || true) && err == nil"}}, []suite{invariants()}},
		{"a note that does not say whether it is internal is read", []edit{{visible, "return !internal && err == nil", "return !internal && (err == nil || true)"}}, []suite{invariants()}},
		{"an internal note by its older name is read", []edit{{visible, "if internal || confidential {", "if internal || confidential && false {"}}, []suite{invariants()}},
		{"a public note is left out with an internal one", []edit{{visible, "case len(public) == 0:", "case len(public) < len(notes):"}}, []suite{invariants()}},
		{"a snapshot shows all notes", []edit{{revision, "if raw, shown := v.shown(child, texts[child]); shown {", "if raw, shown := texts[child], true; shown {"}}, []suite{invariants()}},
		{"documents that the head hides are read", []edit{{shown, "shownOf(documents, head, sight)", "shownOf(documents, surgical.Head{}, sight)"}}, []suite{invariants()}},
		{"a tombstone forgets that the copy was confidential", []edit{{tombstone, "attributesItem{Confidential: was.Attributes.Confidential}", "attributesItem{}"}}, []suite{invariants()}},
	}
}
