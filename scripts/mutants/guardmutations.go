package main

// guardMutations break what decides whether a fetch may replace the copy.
func guardMutations() []mutation {
	const guard, condition, engine = "internal/surgical/guard.go", "internal/content/guard.go", "internal/worker/engine.go"
	return []mutation{
		{"guard without the equality case of updated_at", []edit{
			{guard, "!h.UpdatedAt.After(s.UpdatedAt)", "h.UpdatedAt.Before(s.UpdatedAt)"},
		}, outcomes()},
		{"guard without fetched_until", []edit{
			{guard, "!h.Overlaps(s) &&\n\t\t", ""},
			{condition, ".\n\t\tAnd(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.UnixMicro())))", ""},
		}, outcomes()},
		{"guard without updated_at", []edit{
			{guard, "(!h.UpdatedAt.After(s.UpdatedAt) || !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation)))", "s.Requests >= 0"},
			{condition, ".\n\t\tAnd(expression.Name(\"updated_at\").LessThanEqual(expression.Value(snap.UpdatedAt.UnixMicro())).\n\t\t\tOr(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro()))))", ""},
		}, outcomes()},
		{"guard without confirmation", []edit{
			{guard, " || !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation))", ""},
		}, outcomes()},
		{"guard that confirms from the beginning of the head's fetch", []edit{
			{guard, " || !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation))", " || !h.FetchedAt.After(s.FetchedAt.Add(-Confirmation))"},
		}, outcomes()},
		{"guard off", []edit{
			{guard, "return !h.Exists() || !h.Overlaps(s) &&\n\t\t(!h.UpdatedAt.After(s.UpdatedAt) || !h.FetchedUntil.After(s.FetchedAt.Add(-Confirmation)))", "return true || s.Requests > 0"},
			{condition, ".\n\t\tAnd(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.UnixMicro()))).\n\t\tAnd(expression.Name(\"updated_at\").LessThanEqual(expression.Value(snap.UpdatedAt.UnixMicro())).\n\t\t\tOr(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro()))))", ""},
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
