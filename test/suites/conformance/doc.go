// Package conformance is one suite for every DynamoDB engine that the tests
// run on: ministack, DynamoDB Local and test/fake/dynamodb. It has two halves.
//
// The first asks the engine for what the code base relies on: every operator
// and shape of expression in use with its equality cases, transactions that
// are all or nothing, limits of batches, paging to the end, sparse keys-only
// indexes, and a TTL attribute that is nothing but data. An engine in memory
// that passes it may stand for the real one in the model.
//
// The second runs the code base's own conditional writes, one boundary at a
// time, against what may have happened between the reading and the write. A
// condition that is weakened in ledger or content falls here on a real engine.
//
// Known differences between engines, none of which the code relies on:
// ministack accepts update paths that overlap or lead nowhere, placeholders that
// nothing uses
// and some keys of the wrong shape ([Engine.Lenient]); DynamoDB Local ends a page
// behind the item that crosses 1 MB, the in-memory DynamoDB before it.
package conformance
