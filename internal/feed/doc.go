// Package feed keeps the changes of the content table in order, so that a reader can ask
// what changed since it last read, and miss nothing.
//
// There are two feeds: [Entities], for people and machines that follow the copy, and
// [Documents], for the search index. An entry says what changed, never how: readers read
// the current state, through the rule of what may be seen. An entry may come twice.
//
// The entries come from the stream of the content table, which has the keys of each item
// that changed. A commit appears in the stream after it is visible, so an entry is never
// ahead of its change. [Consumer] writes the entries of a batch as one block of each feed,
// under the number after the last block, on condition that it is free. However many shards
// the stream has, and whenever a consumer dies or a write of it arrives, the numbers have
// no holes, and a block has them before the next one can be written.
//
//	dies after            leaves behind                 cleaned up by
//	some blocks           entries of a part of a batch  the batch is delivered again, and
//	                                                    appends them once more
//	all blocks            an older time of the last     the next batch; at worst, an
//	                      work                          absence seems longer
//
// If records may be lost, the feeds are restarted: their epoch is raised, and every
// reader has to read everything once. That happens if the consumer was away for
// [surgical.FeedGap], if Lambda gave a record up, and when a project is hidden, which
// changes no item of the content table.
package feed
