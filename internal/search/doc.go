// Package search finds entities by the text of their documents.
//
// An index is a hint: an [Engine] returns candidates, and package finder reads each of
// them again before it is shown. An [Indexer] keeps the index current: it follows a
// [Source] of changed entities, reads what readers see of each, and hands the engine
// what differs from what the index has. package embedded is an engine. This package
// itself depends on no engine, so that callers that only ask stay small.
package search
