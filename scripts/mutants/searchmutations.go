package main

// searchMutations break the order in which an index in OpenSearch is written. The first
// ones are noticed without a server, the others on a real one.
func searchMutations() []mutation {
	const apply, rebuild, document, bulk = "internal/search/opensearch/apply.go", "internal/search/opensearch/rebuild.go", "internal/search/opensearch/document.go", "internal/search/opensearch/bulk.go"
	onServer := suite{name: "opensearch", args: []string{"./internal/search/opensearch"}}
	const batch, rebuilding, finder = "internal/search/manifest/batch.go", "internal/search/embedded/rebuild.go", "internal/search/finder/find.go"
	const turn, manifests, swaps = "internal/search/manifest/turn.go", "internal/search/manifest/manifest.go", "internal/search/manifest/store.go"
	const collect = "internal/search/collect.go"
	turns := []suite{{name: "turns", args: []string{"./internal/search", "./internal/search/manifest"}}}
	alone := func(pkg, run string) []suite {
		return []suite{{name: pkg, args: []string{"-run", run, "./internal/" + pkg}}}
	}
	changes := alone("search", "TestIndexer_ReadsWhatChanged")
	return []mutation{
		{"an outage is an internal failure", []edit{{"internal/outage/outage.go", "if errors.Is(err, context.DeadlineExceeded) || ", "if false && errors.Is(err, context.DeadlineExceeded) || "}}, alone("outage", "Typed")},
		{"a request takes all the time of its function", []edit{{"internal/api/serve.go", "outcomeKey{}, o), surgical.AnswerReserve)", "outcomeKey{}, o), 0)"}}, alone("api", "TestServe_AnswersBefore")},
		{"what hardly resembles an entity is similar", []edit{{"internal/search/similar.go", "if c.Score < least {", "if false {"}}, alone("search/embedded", "TestEngine")},
		{"removed words stay in the base before", []edit{{"internal/search/embedded/maintain.go", "surgical.ForgetRemoved)", "10*surgical.ForgetRemoved)"}}, alone("search/embedded", "HasNoWord")},
		{"the index keeps what readers of another policy saw", []edit{{manifests, "case m.Confidential != confidential:", "case false && m.Confidential != confidential:"}}, alone("search/embedded", "TestIndex_")},
		{"a rebuild gives way to one of a former policy", []edit{{rebuilding, "e.Language, e.Model, e.Confidential) != \"\"", "e.Language, e.Model, now.Confidential) != \"\""}}, alone("search/embedded", "TestRebuild")},
		{"a rebuild gives way to one of a former model", []edit{{rebuilding, "e.Language, e.Model, e.Confidential) != \"\"", "e.Language, now.Model, e.Confidential) != \"\""}}, alone("search/embedded", "TestRebuild")},
		{"a rebuild keeps a base that lacks what it read", []edit{{rebuilding, "= base, nil, manifest", "= base, &manifest.Previous{Base: now.Base}, manifest"}}, alone("search/embedded", "TestRebuild")},
		{"a rebuild takes the place of a later one", []edit{{rebuilding, "} else if now.Rebuilt != before.Rebuilt {", "} else if false {"}}, alone("search/embedded", "TestRebuild")},
		{"the check of the index passes what was changed", []edit{{"internal/search/embedded/maintain.go", "case now.Bytes != o.Bytes || now.Tag != o.ETag:", "case false && now.Bytes != o.Bytes:"}}, alone("search/embedded", "TestMaintain_")},
		{"the check of the index passes what is missing", []edit{{"internal/search/embedded/maintain.go", "case !exists:", "case !exists && false:"}, {"internal/search/embedded/maintain.go", "case now.Bytes != o.Bytes || now.Tag", "case exists && now.Bytes != o.Bytes || exists && now.Tag"}}, alone("search/embedded", "TestMaintain_")},
		{"a damaged part of the index is used", []edit{{"internal/search/embedded/objects.go", "case c.intact():", "case true || c.intact():"}}, alone("search/embedded", "Damage")},
		{"a lost connection damages the index", []edit{{"internal/search/embedded/objects.go", "case lost != nil:", "case false && lost != nil:"}}, alone("search/embedded", "LostConnection")},
		{"a damaged index waits for the next check", []edit{{"internal/api/search.go", "if errors.Is(err, search.ErrDamaged) {", "if false && errors.Is(err, search.ErrDamaged) {"}}, alone("api", "DamagedIndex")},
		{"a hit need not match the filters any more", []edit{{finder, "ok && filter.Matches(g.ref, search.FacetsOf(s.Head))", "ok"}}, alone("search/finder", "TestFind_")},
		{"a hit shows another text than the one that was indexed", []edit{{finder, "!ok || document.Hash != c.Hash {", "!ok {"}}, alone("search/finder", "TestFind_")},
		{"a long hit shows another text than the one that was indexed", []edit{{finder, "whole.Revision == 0 || whole.Hash != c.Hash {", "whole.Revision == 0 {"}}, alone("search/finder", "TestFind_")},
		{"index: a lost response to a swap is a loss", []edit{{swaps, "now.Version == next.Version && now.By == next.By {", "false && now.By == next.By {"}}, alone("search/manifest", "TestSwap_")},
		{"index: another writer's manifest is taken for its own", []edit{{swaps, "now.Version == next.Version && now.By == next.By {", "now.Version == next.Version {"}}, alone("search/manifest", "TestSwap_")},
		{"the index is not told of a hidden project", []edit{{"internal/ledger/projectchange.go", "feed.Restarts(l.tables.Feed)...", "feed.Restarts(l.tables.Feed)[:0]..."}}, alone("search/embedded", "HasNoWord")},
		{"the batches of a backfill are joined at its end only", []edit{{"internal/search/indexer.go", "documents > surgical.MaxBatchedDocuments {", "documents < 0 {"}}, alone("search", "DuringABackfill")},
		{"a chunk without a vector is ranked by one", []edit{{"internal/search/embedded/vectors.go", "r.entity == nil || r.blank {", "r.entity == nil {"}}, alone("search/embedded", "TestEngine")},
		{"index: of equal chunks those are ranked that were indexed first", []edit{{"internal/search/embedded/texts.go", "byScore{}, &blevesearch.SortDocID{}}", "byScore{}}"}}, alone("search/embedded", "RanksAlike")},
		{"index: what only vectors find ends at the limit", []edit{{"internal/search/similar.go", "if near == r.Limit {", "if false {"}}, alone("search/embedded", "TestEngine")},
		{"index: an alias that is gone fails the maintenance", []edit{{"internal/search/opensearch/maintain.go", "method == http.MethodDelete && absent(err)", "false"}}, alone("search/opensearch", "TestMaintain_May")},
		{"index: chunks are as long as in their segments", []edit{{"internal/search/embedded/texts.go", "if request.PreSearchData, err = t.norms(); err != nil {", "if _, err = t.norms(); err != nil {"}}, alone("search/embedded", "RanksAlike")},
		{"index: what is similar depends on how much is looked at", []edit{{"internal/search/similar.go", "f.rank(c, first, max(rank, nearest))", "f.rank(c, first, rank)"}}, alone("search", "TestRankings")},
		{"index: the ranks of all that was looked at are fused", []edit{{"internal/search/fuse.go", "if depth < Fused {", "if depth >= 0 {"}}, alone("search", "TestRankings")},
		{"index: the pages of a query come from any copy of a shard", []edit{{"internal/search/opensearch/engine.go", `url.Values{"preference": {copiesFor(q)}}`, "url.Values{}"}}, alone("search/opensearch", "TestSearch_Reads")},
		{"index: the last digits of a score rank chunks", []edit{{"internal/search/embedded/byscore.go", "RequiresScoring() bool { return false }", "RequiresScoring() bool { return true }"}}, alone("search/embedded", "RanksAlike")},
		{"index: of equal vectors those are ranked that were read first", []edit{{"internal/search/embedded/vectors.go", "if score < least ||", "if score <= least ||"}}, alone("search/embedded", "RanksAlike")},
		{"index: any number of indexers work at a time", []edit{{turn, "row.Until <= now.UnixMicro(); mine {", "row.Until <= now.UnixMicro() || true; mine {"}}, turns},
		{"index: the turn of an indexer that died is never over", []edit{{turn, "row.Holder == t.holder || row.Until <= now.UnixMicro(); mine {", "row.Holder == t.holder; mine {"}}, turns},
		{"index: what comes while an indexer works is forgotten", []edit{{turn, "ask := !row.Asked\n", "ask := false\n"}}, turns},
		{"index: the builder is started before the turn is free", []edit{{"internal/search/indexer.go", "if left := turn.Leave(leaving); left != nil {", "if left := leaving.Err(); left != nil {"}}, turns},
		{"index: what an indexer died of is tried again", []edit{{"internal/search/indexer.go", "i.Builder != nil && turn.RanOut() {", "false {"}}, turns},
		{"index: an indexer reads more than it has memory for", []edit{{"internal/search/indexer.go", "> surgical.MaxFollowedBytes && i.Builder != nil {", "< 0 {"}}, turns},
		{"index: documents that did not change are removed from the index", []edit{{collect, "!still[id] && of.Has(id) {", "!still[id] {"}}, changes},
		{"index: what a head hides stays in the index", []edit{{collect, "!of.All() && shown.Head.DocumentsVisibleFrom > 0 {", "false {"}}, changes},
		{"index: of a new entity, only what changed is indexed", []edit{{collect, "if !exists || known.Unsettled {", "if known.Unsettled {"}}, changes},
		{"index: what a writer left halfway stays so", []edit{{collect, "if !exists || known.Unsettled {", "if !exists {"}}, changes},
		{"nobody knows that a writer may have left an entity halfway", []edit{{document, "Unsettled: c.Moving || c.Gone || len(c.Unsettled) > 0}", "Unsettled: false}"}}, alone("search/opensearch", "TestEntry_")},
		{"index: a batch takes the place of another of the same manifest", []edit{{batch, "LessThan(", "LessThanEqual("}}, alone("search/manifest", "TestAppend")},
		{"index: a number that a dead writer took stays taken", []edit{{batch, "return read, s.free(ctx, read)", "return read, ErrMoved"}}, alone("search/manifest", "TestAppend")},
		{"index: a batch whose swap's response was lost is lost", []edit{{batch, "return s.namedMeanwhile(ctx, read, row)", "return read, ErrMoved"}}, alone("search/manifest", "TestAppend")},
		{"index: a rebuild goes on behind what others applied to the old base", []edit{{rebuilding, "\tnext.Cursor, next.AsOf = at.Cursor, at.AsOf.UnixMicro()\n", ""}}, alone("search/embedded", "TestRebuild")},
		{"index: what others applied to the old base is added to the new one", []edit{{rebuilding, "base.Through = next.Last", "base.Through = min(before.Last, next.Last)"}}, alone("search/embedded", "TestRebuild")},
		{"index: a base whose swap's response was lost is deleted", []edit{{rebuilding, "if err != nil || now.Named(base.Texts.Key) {", "if err != nil {"}}, alone("search/embedded", "TestCompact|TestEngine")},
		{"index: batches are added to a copy from before a rebuild", []edit{{"internal/search/embedded/state.go", "s.rebuilt == m.Rebuilt", "s.rebuilt <= m.Rebuilt"}}, alone("search/embedded", "TestEngine|TestRebuild")},
		{"index: maintenance takes back an index that another engine replaced", []edit{{"internal/search/embedded/maintain.go", "if now.Base.Texts.Key != m.Base.Texts.Key {", "if false {"}}, alone("search/embedded", "InOpenSearch")},
		{"index: batches expire while they count", []edit{{"internal/search/embedded/maintain.go", "manifest.Older(now, m.Pending.Since, surgical.IndexBatchAge)", "false"}}, alone("search/embedded", "BeforeTheyExpire")},
		{"chunks are written before their entity is claimed", []edit{{apply, "if err := e.writeCatalogs(ctx, m.Index, began, claims); err != nil {", "if err := error(nil); err != nil {"}}, []suite{onServer}},
		{"chunks are written under the version before the claim", []edit{{apply, "putChunks(ctx, w, change.Ref, fields, d, m.Dimensions, claim.Version)", "putChunks(ctx, w, change.Ref, fields, d, m.Dimensions, claim.Version-1)"}}, []suite{onServer}},
		{"a rebuild goes on from where others are", []edit{{rebuild, "Cursor: at.Cursor, AsOf", "Cursor: max(at.Cursor, now.Cursor), AsOf"}}, []suite{onServer}},
		{"an indexer does not take over from one that has not ended", []edit{{apply, "\t\tif m.Open != nil {\n", "\t\tif false && m.Open != nil {\n"}}, []suite{onServer}},
		{"a catalog is claimed whatever its version", []edit{{apply, "put(key, c.Version+1, newer, c.document())", "put(key, c.Version+1, sameOrNewer, c.document())"}}, []suite{onServer}},
		{"an unsettled document is not known", []edit{{document, "\tfor id, chunks := range c.Unsettled {\n\t\tentry", "\tfor id, chunks := range map[string]int(nil) {\n\t\tentry"}}, []suite{onServer}},
		{"chunks keep the facets that they had", []edit{{apply, "if change.Gone || !claim.Moving {", "if change.Gone || claim.Moving {"}}, []suite{onServer}},
		{"a rebuild whose swap's response was lost is deleted", []edit{{rebuild, "if now.Named(index) {", "if false {"}}, []suite{onServer}},
		{"a late write creates a deleted index again", []edit{{bulk, `"require_alias": true`, `"require_alias": false`}}, []suite{onServer}},
	}
}
