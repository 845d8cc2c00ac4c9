package main

// feedMutations let a reader of the change feeds miss a change.
func feedMutations() []mutation {
	const store, consumer, keys = "internal/feed/store.go", "internal/feed/consumer.go", "internal/content/keys.go"
	feeds := []suite{{name: "feeds", args: []string{"./internal/feed"}}}
	return []mutation{
		{"feed: the counter is raised whatever its value", []edit{
			{store, "return s.change(name, asRead(\"last\", c.Last), update)", "return s.change(name, expression.AttributeNotExists(expression.Name(\"never\")), update)"},
			{store, "ConditionExpression: isNew.Condition(), ExpressionAttributeNames: isNew.Names(),", ""},
			{store, "isNew, err :=", "_, err ="},
		}, feeds},
		{"feed: entries are written before their counter", []edit{
			{store, "return len(entries), s.transact(ctx, writes)", "if err := s.transact(ctx, writes[1:]); err != nil {\n\t\treturn 0, err\n\t}\n\treturn len(entries), s.transact(ctx, writes[:1])"},
		}, feeds},
		{"feed: a batch that failed counts as consumed", []edit{
			{consumer, "return response, fmt.Errorf(\"consume %d records: %w\", len(batch.Records), err)", "return response, nil"},
		}, feeds},
		{"feed: an absence is not noticed", []edit{
			{consumer, "if away <= surgical.FeedGap {", "if away >= 0 {"},
		}, feeds},
		{"feed: an absence is noticed after the first entry", []edit{
			{store, "case from.Epoch != c.Epoch || from.Number < 0 || from.Number > c.Last:", "case from.Number < 0 || from.Number > c.Last:"},
		}, feeds},
		{"feed: what Lambda gave up is ignored", []edit{
			{consumer, "return response, c.Store.Restart(ctx)", "return response, nil"},
		}, feeds},
		{"feed: an old place is accepted", []edit{
			{store, "case now.Sub(from.At) > surgical.FeedRetention:", "case from.At.IsZero():"},
		}, feeds},
		{"feed: a page goes on after the last entry of the feed", []edit{
			{store, "page.Next.Number = last", "page.Next.Number = c.Last"},
		}, feeds},
		{"feed: an embedding that changed is left out", []edit{
			{keys, "for _, prefix := range []string{docPrefix, embPrefix} {", "for _, prefix := range []string{docPrefix} {"},
		}, feeds},
		{"feed: hiding a project restarts nothing", []edit{
			{"internal/ledger/projectchange.go", "append([]types.TransactWriteItem{{Update: raise}}, feed.Restarts(l.tables.Feed)...)", "append([]types.TransactWriteItem{{Update: raise}}, feed.Restarts(l.tables.Feed)[:0]...)"},
		}, []suite{{name: "changes", args: []string{"./internal/api", "-run", "TestChanges"}}}},
	}
}
