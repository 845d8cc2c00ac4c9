package main

// eraseMutations let something of an erased entity stay, or come back.
func eraseMutations() []mutation {
	const guard, visible, condition, erase = "internal/surgical/guard.go", "internal/surgical/visible.go", "internal/content/guard.go", "internal/content/erase.go"
	const attempt, commit, erasing, rows = "internal/worker/attempt.go", "internal/worker/commit.go", "internal/erasure/erasure.go", "internal/ledger/erasures.go"
	erasures := []suite{{name: "erasures", args: []string{"./internal/erasure"}}}
	return []mutation{
		{"erased: a later fetch is stored", []edit{
			{guard, "\tif h.Erased() {\n\t\treturn false\n\t}\n", ""},
			{condition, ".And(asRead, expression.Name(\"erased\").AttributeNotExists())", ".And(asRead)"},
		}, erasures},
		{"erased: only the first check keeps a fetch out", []edit{
			{condition, ".And(asRead, expression.Name(\"erased\").AttributeNotExists())", ".And(asRead)"},
		}, erasures},
		{"erased: a hide request changes the head", []edit{
			{guard, "if h.Erased() || h.HasCopy()", "if h.HasCopy()"},
		}, erasures},
		{"erased: readers see it as a head without a copy", []edit{
			{visible, "\tcase h.Erased():\n\t\treturn false, Erased\n", ""},
		}, erasures},
		{"erased: it is fetched all the same", []edit{
			{attempt, "return slices.Contains(around.erased, ref)", "return slices.Contains(around.erased, ref) && len(run.Targets) == 0"},
		}, erasures},
		{"erased: a run that fetched before fetches for ever", []edit{
			{commit, "case heads[i].Erased(): // since the run began", "case heads[i].Erased() && snap.Requests < 0:"},
		}, erasures},
		{"erased: a pass requests a run", []edit{
			{"internal/surgical/pass.go", "\tcase why == Erased:\n\t\treturn false\n", ""},
		}, erasures},
		{"erased: a pass waits for it", []edit{
			{"internal/surgical/pass.go", "\tcase h.Erased():\n\t\treturn true\n", ""},
		}, erasures},
		{"erased: documents stay", []edit{
			{erase, "DocumentsVisibleFrom: revision,", "DocumentsVisibleFrom: head.DocumentsVisibleFrom,"},
		}, erasures},
		{"erased: pieces stay", []edit{
			{erase, "[]string{childPrefix, piecePrefix, partPrefix}", "[]string{childPrefix, partPrefix}"},
		}, erasures},
		{"erased: an erasure is complete at once", []edit{
			{erasing, "settled := !e.clock().Before(open.SettlesAt())", "settled := !e.clock().Before(open.OpenSince)"},
		}, erasures},
		{"erased: an erasure is complete although something is left", []edit{
			{erasing, "|| result.Left.Total() > 0 {", "|| result.Left.Total() < 0 {"},
		}, erasures},
		{"erased: it is lifted while something is removed", []edit{
			{erasing, "case listed != nil && !listed.Complete():", "case listed != nil && listed.ErasedAt.IsZero():"},
			{rows, "expression.AttributeNotExists(expression.Name(\"item\"))", "expression.AttributeNotExists(expression.Name(\"none\"))"},
		}, erasures},
		{"erased: a fetch from before is stored after it is lifted", []edit{
			{erase, "FetchedUntil: at.UnixMicro(), ", ""},
		}, erasures},
	}
}
