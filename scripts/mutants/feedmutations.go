package main

// feedMutations let a reader of the change feeds miss a change.
func feedMutations() []mutation {
	const appended, read, consumer, keys = "internal/feed/append.go", "internal/feed/read.go", "internal/feed/consumer.go", "internal/content/keys.go"
	feeds := []suite{{name: "feeds", args: []string{"./internal/feed"}}}
	return []mutation{
		{"feed: a block replaces another with its number", []edit{
			{appended, `expression.AttributeNotExists(expression.Name("feed"))`, `expression.AttributeNotExists(expression.Name("never"))`},
		}, feeds},
		{"feed: a block that is missing is passed", []edit{
			{read, "case b.Number != next.Number+1 || next.Offset", "case next.Offset"},
		}, feeds},
		{"feed: the rest of a block is passed", []edit{
			{read, "next.Offset += int64(n)", "next.Number, next.Offset = b.Number, 0"},
		}, feeds},
		{"feed: a place beyond the last block is accepted", []edit{
			{read, "if !p.reached {", "if false {"},
		}, feeds},
		{"feed: a batch counts as consumed before it is written", []edit{
			{consumer, "	entities, documents := entriesOf(changes)\n", "	if err := c.Store.consumed(ctx, read); err != nil {\n\t\treturn err\n\t}\n\tentities, documents := entriesOf(changes)\n"},
		}, feeds},
		{"feed: numbers begin again when the last blocks have expired", []edit{
			{appended, "	if err := s.raiseLast(ctx, read); err != nil {\n\t\treturn err\n\t}\n\treturn s.raise", "	return s.raise"},
		}, feeds},
		{"feed: numbers begin again after a long absence", []edit{
			{"internal/feed/restart.go", "	if err := s.raiseLast(ctx, read); err != nil {\n\t\treturn err\n\t}\n", ""},
		}, feeds},
		{"feed: a batch that failed counts as consumed", []edit{
			{consumer, "return response, fmt.Errorf(\"consume %d records: %w\", len(batch.Records), err)", "return response, nil"},
		}, feeds},
		{"feed: an absence is not noticed", []edit{
			{consumer, "if c.away(read) <= surgical.FeedGap {", "if c.away(read) >= 0 {"},
		}, feeds},
		{"feed: a reader learns of no restart", []edit{
			{read, "case from.Epoch != c.Epoch || from.Number", "case from.Number"},
		}, feeds},
		{"feed: what Lambda gave up is ignored", []edit{
			{consumer, "return response, c.Store.Restart(ctx)", "return response, nil"},
		}, feeds},
		{"feed: an old place is accepted", []edit{
			{read, "case now.Sub(from.At) > surgical.FeedRetention:", "case from.At.IsZero():"},
		}, feeds},
		{"feed: an embedding that changed is left out", []edit{
			{keys, "for _, prefix := range []string{docPrefix, embPrefix} {", "for _, prefix := range []string{docPrefix} {"},
		}, feeds},
		{"feed: hiding a project restarts nothing", []edit{
			{"internal/ledger/projectchange.go", "append([]types.TransactWriteItem{{Update: raise}}, feed.Restarts(l.tables.Feed)...)", "append([]types.TransactWriteItem{{Update: raise}}, feed.Restarts(l.tables.Feed)[:0]...)"},
		}, []suite{{name: "changes", args: []string{"./internal/api", "-run", "TestChanges"}}}},
	}
}
