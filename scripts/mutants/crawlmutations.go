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
		{"a record beyond the limit ends its list", []edit{{walk, "if s.size == 1 && surgical.CodeOf(err) == surgical.CodeEntityTooLarge {", "if s.size == 0 && surgical.CodeOf(err) == surgical.CodeEntityTooLarge {"}}, walks},
		{"a list without long texts is of any length", []edit{{"internal/gitlab/abridge.go", "if a.out.size > surgical.MaxListPageBytes {", "if a.out.size < 0 {"}}, []suite{{name: "abridging", args: []string{"./internal/gitlab", "-run", "TestAbridger"}}}},
		{"a list without long texts joins what whitespace separates", []edit{{"internal/gitlab/abridge.go", "if a.spaced = true; !spaced {", "if a.spaced = true; !spaced && a.depth < 0 {"}}, []suite{{name: "abridging", args: []string{"./internal/gitlab", "-run", "TestAbridger"}}}},
		{"a failed delivery is left to the lists", []edit{{log, "\t\t\tif !e.Failed() {\n", "\t\t\tif !e.Failed() || e.ID > 0 {\n"}}, hooks},
		{"what a failed delivery calls confidential is shown until it is fetched", []edit{{log, "\tif req.Evidence.Confidential {\n", "\tif req.Evidence.Confidential && e.ID < 0 {\n"}}, hooks},
		{"a hide request that failed is not sent again", []edit{{log, "\tif req.Evidence.Confidential {\n", "\tif sent, err := w.queue(ctx, req); err != nil || !sent {\n\t\treturn sent, err\n\t}\n\tif req.Evidence.Confidential {\n"}}, hooks},
		{"a delivery that fails again makes another run", []edit{{log, "RunID: surgical.DeliveryRunID(name, ref)", "RunID: surgical.DeliveryRunID(fmt.Sprint(name, e.ID), ref)"}}, hooks},
		{"what was read of a log is recorded before its runs", []edit{{log, "\t\t\trequested, err := w.recover(ctx, r.owner, r.check, e)\n\t\t\tif err != nil {\n\t\t\t\treturn \"\", \"\", err\n\t\t\t}\n", "\t\t\trequested, _ := w.recover(ctx, r.owner, r.check, e)\n"}}, hooks},
		{"what a reading of a log did not get to is left out", []edit{{log, "check.Unread, check.UnreadTo = rest, r.check.LastDelivery", "check.UnreadTo = 0"}}, hooks},
		{"what two readings of a log did not get to is read down to the first", []edit{{log, "\t\tcheck.Unread = rest // what", "\t\tcheck.Unread, check.UnreadTo = rest, r.check.LastDelivery // what"}}, hooks},
		{"a group whose hooks cannot be read has none", []edit{{watch, "if theirs.forbidden && result.ID == 0", "if theirs.forbidden && result.ID < 0"}}, hooks},
		{"a GitLab without hooks of groups hides that there is none", []edit{{watch, "if theirs.forbidden && result.ID == 0", "if theirs.refused && result.ID == 0"}}, hooks},
		{"a transferred project is looked for in its old group", []edit{{watch, "\treturn seen.Path, w.spare(", "\treturn project.Path, w.spare("}}, hooks},
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
		{"a reconcile that is full never looks whether its project is back", []edit{{"internal/crawl/cycle.go", "\tif shown, err := v.seen(ctx); err != nil || !shown {\n\t\treturn false, err\n\t}\n", ""}},
			[]suite{{name: "full cycles out of sight", args: []string{"./internal/crawl", "-run", "TestReconcile_ThatIsFull"}}}},
		{"a reconcile that never ends is not reported while everything waits", []edit{{"internal/crawl/crawler.go", "\tdefault:\n\t\terr = c.wait(ctx, &report)\n", ""}}, crawls},
		{"a cycle that fails is taken for a comparison", []edit{{"internal/crawl/cycle.go", "if next.ListedAt.IsZero() {", "if !next.ListedAt.Equal(now) {"}}, crawls},
		{"an id that no project has alarms for ever", []edit{{"internal/crawl/finish.go", "if lasting && v.refused && why.Code == surgical.CodeGitLabNotFound {", "if lasting && v.refused && why.Code == \"\" {"}}, crawls},
		{"a project of the allow list is forgotten", []edit{{"internal/crawl/finish.go", "|| slices.Contains(v.Listed, v.project.ID) {", "|| len(slices.Clone(v.Listed)) < 0 {"}}, crawls},
		{"a project that GitLab has shown is forgotten", []edit{{change, "WithCondition(expression.AttributeNotExists(expression.Name(\"path\"))).Build()", "WithCondition(expression.AttributeNotExists(expression.Name(\"-\"))).Build()"}}, []suite{{name: "forgotten projects", args: []string{"./internal/ledger", "-run", "TestForgetProject"}}}},
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
	givingUp := []suite{{name: "giving up", args: []string{"./internal/surgical", "-run", "TestPassGiveUp|TestPassTakeUp"}}}
	starts := []suite{{name: "backfills", args: []string{"./internal/surgical", "./internal/ledger", "./internal/api", "-run", "Backfill|Replacing|Conclude"}}}
	turns := []suite{{name: "turns", args: []string{"./internal/surgical", "./internal/worker", "-run", "Turn|Emptiness|Process_Waits"}}}
	return []mutation{
		{"a backfill of which nothing can succeed later asks for a retry", []edit{{"internal/surgical/pass.go", "e.Action, e.Retryable = ActionContactOperator, false\n\treturn e\n}\n\n// Entry is", "return e\n}\n\n// Entry is"}}, []suite{recovery()}},
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
		{"pass: a catch-up list does not wait for the runs before it", []edit{{visit, "case v.pass.Legs[v.pass.Leg].CatchUp && v.pass.Outstanding > 0 &&", "case v.pass.Legs[v.pass.Leg].CatchUp && v.pass.Outstanding < 0 &&"}}, passes},
		{"pass: a catch-up list begins where the first list ended", []edit{{visit, "leg.Since = v.pass.Legs[0].Began.Add(-surgical.ReconcileOverlap)", "leg.Since = v.Clock()"}}, passes},
		{"pass: what vanished after it was listed is a failure", []edit{{settle, " || v.vanished(a, run)", ""}}, passes},
		{"pass: what a replica did not have is not requested again", []edit{{visit, "tries = 1 //", "tries = 0 //"}}, passes},
		{"pass: what is out of sight with its project vanished", []edit{{"internal/worker/attempt.go", "\t\te.blameProject(ctx, run, &fetched)\n", ""}}, passes},
		{"pass: a refusal is never that of the whole project", []edit{{"internal/worker/missing.go", "if !refused(f.failed[0]) || len(f.refs) != 1", "if !f.missing()"}}, passes},
		{"pass: a list shows that a project is back", []edit{{visit, "if v.project.Path != \"\" && v.project.UnseenSince.IsZero() {", "if v.project.Path != \"\" && v.watch().Record(ctx, v.project, projects.Answer{AskedAt: v.Clock()}) == nil {"}}, passes},
		{"pass: every retry makes the row of a backfill longer", []edit{{"internal/surgical/backfill.go", "p.Legs[last], p.Leg, p.Cursor = leg, last, \"\"", "p.Legs, p.Leg, p.Cursor = append(p.Legs, leg), last+1, \"\""}}, starts},
		{"pass: a run does not record that its project is out of sight", []edit{{"internal/worker/missing.go", "\tif refused(f.failed[0]) {", "\tif refused(f.failed[0]) && run.RunID == \"\" {"}}, passes},
		{"pass: what failed while the project was out of sight is left to an operator", []edit{{"internal/projects/watch.go", "return w.Resume(ctx, p)", "return nil"}}, passes},
		{"pass: a reconcile gives up what is out of sight with its project", []edit{{"internal/crawl/cycle.go", "!settled && !v.project.UnseenSince.IsZero()", "!settled && v.project.ID < 0"}}, passes},
		{"pass: a reconcile gives up for a run of while its project was out of sight", []edit{{"internal/crawl/cycle.go", "return !a.Unseen && run", "return run"}}, passes},
		{"pass: what fails again is retried again and again", []edit{{settle, "next.Cursor = failures[len(failures)-1].Target.String()", "next.Cursor = \"\""}}, passes},
		{"pass: an ended run is counted as outstanding", []edit{{settle, "if next.Outstanding--; w.Left {", "if w.Left {"}}, passes},
		{"pass: the reserve is not left to webhooks", []edit{{limit, "l.Remaining*100 > l.Limit*WebhookReserve", "l.Remaining > 0"}}, passes},
		{"pass: nothing is left to a pass", []edit{{limit, "l.Remaining*100 > l.Limit*WebhookReserve", "l.Remaining > l.Limit"}}, passes},
		{"pass: a backfill that is started again forgets what is outstanding", []edit{{"internal/surgical/backfill.go", "\t\tp.Outstanding += int64(len(some))\n", ""}}, passes},
		{"pass: a backfill that is started again counts the runs before it", []edit{{settle, "next.Outstanding--; w.Left {", "next.Outstanding--; w.Number < 0 {"}}, passes},
		{"pass: a backfill that is started again leaves the runs before it queued", []edit{{settle, "run.Status != surgical.StatusQueued || !w.Left && v.pass.Status", "run.Status != surgical.StatusQueued || v.pass.Status"}}, passes},
		{"pass: a request for a group forgets a backfill that was started again", []edit{{"internal/surgical/backfill.go", "if wanted != last.ID && !p.Wants(wanted) {", "if wanted == \"\" {"}}, starts},
		{"pass: a key starts a second backfill after another one", []edit{{"internal/ledger/backfills.go", "\tcase out.Item != nil:\n\t\treturn fmt.Errorf(\"backfill %s: %w\"", "\tcase err == nil && out.Item == nil && p.ID == \"\":\n\t\treturn fmt.Errorf(\"backfill %s: %w\""}}, starts},
		{"pass: a key starts a second backfill once its path is known", []edit{{"internal/api/backfillstart.go", "\t\tcase asked:\n", "\t\tcase asked && id < 0:\n"}}, starts},
		{"pass: what a reconcile gives up is called complete", []edit{{"internal/crawl/cycle.go", "\tnext = next.GiveUp(givenUp, now)\n", "\t_ = givenUp\n"}}, passes},
		{"pass: what a reconcile gave up is named for ever", []edit{{"internal/surgical/givenup.go", "a.ListedAt.Before(project.CompleteSince) || a.Settled(", "a.ListedAt.IsZero() && a.Settled("}}, givingUp},
		{"pass: a reconcile that gave up more than it remembers is complete", []edit{{"internal/surgical/givenup.go", "\t\t\tp.MoreSince = now\n", ""}}, givingUp},
		{"pass: a backfill is complete without what it could not read", []edit{{pass, "if c.Unreadable > 0 {", "if c.Unreadable < 0 {"}}, passes},
		{"pass: a retry does not read again what could not be read", []edit{{"internal/surgical/backfill.go", "if p.Counts.Unreadable > 0 {", "if p.Counts.Unreadable < 0 {"}}, passes},
		{"pass: a reconcile forgets what an earlier one could not read", []edit{{"internal/crawl/cycle.go", " && v.project.Unreadable.Records == 0", ""}}, passes},
		{"pass: a request is complete without projects that it could not read", []edit{{"internal/surgical/backfill.go", "case r.Unreadable > 0:", "case r.Unreadable < 0:"}}, starts},
		{"pass: a request whose projects deny access asks for an operator", []edit{{"internal/surgical/error.go", "return e.Retryable || e.Code == CodeGitLabForbidden", "return e.Retryable"}}, starts},
		{"pass: a request advises what only one of its backfills does", []edit{{"internal/surgical/backfill.go", "} else if action != why.Action {", "} else if action == \"\" {"}}, starts},
		{"pass: a request that copies nothing succeeds", []edit{{"internal/surgical/backfill.go", "case r.Projects == 0 && len(passes) == 0:", "case r.Projects < 0 && len(passes) == 0:"}}, starts},
		{"pass: a request for all projects leaves out what GitLab does not list", []edit{{"internal/crawl/requests.go", "next.Listed && r.Scope.All {", "next.Listed && r.Scope.All && r.ID == \"\" {"}}, passes},
		{"pass: a request that failed stays so when its backfills have gone on", []edit{{"internal/crawl/requests.go", "(r.Status == surgical.StatusRunning || r.Status == surgical.StatusFailed)", "r.Status == surgical.StatusRunning"}}, passes},
		{"pass: one refusal ends a request for a group", []edit{{"internal/crawl/requests.go", "again := refuses(why) &&", "again := !refuses(why) &&"}}, passes},
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
