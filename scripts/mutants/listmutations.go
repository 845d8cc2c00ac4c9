package main

// listMutations break what lists of issues and merge requests show. The tests of the
// owning packages must notice each.
func listMutations() []mutation {
	const list, pass, listing = "internal/content/list.go", "internal/surgical/pass.go", "internal/api/listing.go"
	const widget, routes = "internal/console/allowed.go", "internal/api/routes.go"
	return []mutation{
		{"the description is served without its examples", []edit{{routes, "addExamples(api.OpenAPI())", "nil"}}, []suite{invariants()}},
		{"a parameter that is named twice has its first value", []edit{{routes, "refuseAmbiguous(api, ctx, next)", "next(ctx)"}}, []suite{invariants()}},
		{"the widget lists runs of every project", []edit{{widget, "return slices.DeleteFunc(runs, func(run surgical.Run) bool { return !a.allows(run.ProjectID) })", "return slices.Clip(runs)"}}, []suite{invariants()}},
		{"the widget shows a run of any project", []edit{{widget, "return run, a.check(run.ProjectID)", "return run, nil"}}, []suite{invariants()}},
		{"a list shows what its index says, not the head", []edit{{list, "shown && l.selects(head)", "shown"}}, []suite{invariants()}},
		{"a page of a list drops what follows its last row", []edit{{list, "more = more || i+1 < len(rows)", "more = i < 0"}}, []suite{invariants()}},
		{"a page of a list reads no further than itself", []edit{{list, "most = l.reads() + 1", "most = l.reads()"}}, []suite{invariants()}},
		{"the end of a time range is included", []edit{{list, "last = place{at: l.UpdatedBefore.UnixMicro()}", "last = place{at: l.UpdatedBefore.UnixMicro(), iid: maxIID}"}, {list, "!h.UpdatedAt.Before(l.UpdatedBefore)", "h.UpdatedAt.After(l.UpdatedBefore)"}}, []suite{invariants()}},
		{"a list takes the cursor of another query", []edit{{listing, "p.Of == of && list.IsPlace(p.After)", "list.IsPlace(p.After)"}}, []suite{invariants()}},
		{"copies of earlier versions never enter a list", []edit{{pass, `case why == "" && !h.Listed:`, "case h.Revision < 0:"}}, []suite{invariants()}},
	}
}
