// Package dynamodb is an in-memory DynamoDB for tests that run thousands of
// times: crash points and the model of interleavings.
//
// It is no mock. It plugs into the SDK's own client as a middleware that takes
// typed inputs and gives typed outputs and exceptions, so that the whole code
// runs on it unchanged, without serialisation and without a network. What it
// promises is shown by test/suites/conformance, which runs the same suite on
// DynamoDB Local and on ministack. It knows exactly the operators in use and
// answers anything else with an error, never with a guess.
//
// Differences from AWS: indexes are always current, nothing expires, nothing
// is throttled, and no transaction meets a conflict (test/faults injects
// these).
package dynamodb
