package main

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
		{"what a failed delivery calls confidential is shown until it is fetched", []edit{{log, "\t\terr = w.Hides.Send(ctx, req.HideRequest())\n", ""}}, hooks},
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
		{"a refused token is not noticed while everything waits", []edit{{"internal/crawl/crawler.go", "case why == surgical.CodeGitLabUnauthorized:", "case why == \"\":"}}, crawls},
		{"a rate limit hides projects", []edit{{"internal/crawl/crawler.go", "case why == surgical.CodeGitLabUnauthorized:", "case why != \"\":"}}, crawls},
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
	const turn = "internal/surgical/turn.go"
	turns := []suite{{name: "turns", args: []string{"./internal/surgical", "./internal/worker", "-run", "Turn|Emptiness|Process_Waits"}}}
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
		{"pass: what vanished after it was listed is a failure", []edit{{settle, " || v.vanished(a, run)", ""}}, passes},
		{"pass: what a replica did not have is not requested again", []edit{{visit, "tries = 1 //", "tries = 0 //"}}, passes},
		{"pass: what is out of sight with its project vanished", []edit{{"internal/worker/attempt.go", "\t\te.blameProject(ctx, run, &fetched)\n", ""}}, passes},
		{"pass: an ended run is counted as outstanding", []edit{{settle, "\t\t\tnext.Outstanding--\n", ""}}, passes},
		{"pass: the reserve is not left to webhooks", []edit{{limit, "l.Remaining*100 > l.Limit*WebhookReserve", "l.Remaining > 0"}}, passes},
		{"pass: nothing is left to a pass", []edit{{limit, "l.Remaining*100 > l.Limit*WebhookReserve", "l.Remaining > l.Limit"}}, passes},
		{"pass: a run overtakes deliveries that wait", []edit{{"internal/worker/turn.go", "case waiting > 0:", "case waiting < 0:"}}, turns},
		{"pass: a run overtakes deliveries that were just received", []edit{{turn, "t.Empty.Last.Add(TurnGrace).Sub(now)", "t.Empty.Last.Sub(now)"}}, turns},
		{"pass: a run overtakes deliveries that waited for a pause", []edit{{turn, "later(t.Asked.Add(Settle), t.Pause.Add(PauseSlack))", "t.Asked.Add(Settle)"}}, turns},
		{"pass: runs wait for ever while others are requested", []edit{{turn, "return Emptiness{Last: at, Before: e.Last}", "return Emptiness{Last: at}"}}, turns},
		{"pass: a queue that was empty before the run was requested counts", []edit{{turn, "!t.Empty.Last.Before(due)", "!t.Empty.Last.IsZero()"}}, turns},
		{"pass: a backfill's runs do not yield to webhooks", []edit{{"internal/surgical/origin.go", "return o == OriginBackfill || o == OriginReconcile", "return o == OriginReconcile"}}, passes},
	}
}

// censusMutations break what a census fetches, how fast, and what it says it found.
func censusMutations() []mutation {
	const census, work, finding = "internal/surgical/census.go", "internal/crawl/census.go", "internal/surgical/finding.go"
	censuses := []suite{{name: "censuses", args: []string{"./internal/crawl", "-run", "TestCensus"}}}
	rules := []suite{{name: "rules of censuses", args: []string{"./internal/surgical", "-run", "TestCensus|TestAged|TestFindings|TestYields"}}}
	return []mutation{
		{"census: a copy that is younger than the census is fetched", []edit{{census, " && h.FetchedAt.Before(p.StartedAt)", ""}}, rules},
		{"census: what is known to be gone is fetched", []edit{{census, "h.HasCopy() && ", "h.Exists() && "}}, rules},
		{"census: it does not wait between its steps", []edit{{census, "return step, remaining * time.Duration(step)", "return step, 0 * time.Duration(step)"}}, rules},
		{"census: it takes longer than its budget", []edit{{census, "max(CensusStep, (left+starts-1)/starts)", "max(CensusStep, starts-starts)"}}, rules},
		{"census: its runs do not yield to webhooks", []edit{{"internal/surgical/origin.go", " || o == OriginCensus", ""}}, rules},
		{"census: it does not wait for backfills", []edit{{work, "\t\t\treturn 0\n", ""}}, censuses},
		{"census: a backfill of a project that is not allowed stops it", []edit{{work, "\t\tcase !c.Allows(p.ProjectID):\n", ""}}, censuses},
		{"census: any number of its runs is outstanding", []edit{
			{work, " || before >= surgical.MaxCensusRuns", ""},
			{work, "surgical.MaxOutstanding-surgical.ListPage-outstanding", "surgical.MaxOutstanding+outstanding"},
		}, censuses},
		{"census: it fetches what GitLab does not show", []edit{{work, "case !v.project.UnseenSince.IsZero():", "case v.pass.ProjectID == 0:"}}, censuses},
		{"census: a project that was not backfilled is copied", []edit{{census, "if !project.CompleteSince.IsZero() {", "if project.ID != 0 {"}}, censuses},
		{"census: only what the lists show is fetched", []edit{{census, "next.Legs = append(next.Legs, Leg{Copies: true, Total: -1})", ""}}, censuses},
		{"census: what is gone is not reported", []edit{{work, "return []surgical.Finding{surgical.FoundGone}", "return nil"}}, censuses},
		{"census: a comment that is gone is another difference", []edit{{finding, "if _, has := after[id]; !has {\n\t\t\td.found[FoundDeletedNotes] = true", "if _, has := after[id]; !has {\n\t\t\td.found[FoundOther] = true"}}, rules},
		{"census: any change of labels is one of their names", []edit{{finding, "d.relabelled && !d.labelled", "d.relabelled"}}, rules},
		{"census: what a comment says is an approval", []edit{{finding, "field(note, \"system\") == true &&\n\t\t", ""}}, rules},
	}
}
