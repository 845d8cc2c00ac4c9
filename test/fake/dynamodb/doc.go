// Package dynamodb is an in-memory DynamoDB for tests that run thousands of
// times: crash points and random interleavings.
//
// It is not a mock. It plugs into the SDK's own client as a middleware with
// typed inputs, outputs and exceptions, so all code runs on it unchanged,
// without serialisation or a network. test/suites/conformance shows that it
// behaves like DynamoDB: the same suite runs on DynamoDB Local and ministack.
// It supports exactly the operators in use and returns an error for anything
// else.
//
// Differences from AWS: indexes are always current, nothing expires, nothing
// is throttled, and no transaction meets a conflict (test/faults injects
// these). What a call consumes is reported for reads only.
package dynamodb
