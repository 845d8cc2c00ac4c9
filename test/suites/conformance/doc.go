// Package conformance is one suite for every DynamoDB engine that the tests
// run on: ministack, DynamoDB Local and test/fake/dynamodb. It has two halves.
//
// The first tests the engine for what the code base relies on: every operator
// and form of expression in use with its equality cases, atomic transactions,
// batch limits, paging to the end, sparse keys-only indexes, and a TTL
// attribute that is plain data. An in-memory engine that passes it may replace
// the real one in the model.
//
// The second runs the code base's own conditional writes, one boundary at a
// time, against everything that may have happened between the read and the
// write. A weakened condition in ledger or content fails here on a real engine.
//
// Known differences between engines, none of which the code relies on:
// ministack accepts overlapping or missing update paths, unused placeholders
// and some malformed keys ([Engine.Lenient]); DynamoDB Local ends a page after
// the item that crosses 1 MB, the in-memory DynamoDB before it.
package conformance
