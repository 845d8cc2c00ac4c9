// Package awsapi calls the few operations of SQS, Secrets Manager, Step Functions and
// Lambda that functions use. Signing, repetitions, credentials, timeouts, the transport and
// the types of failures are those of AWS's SDK. Only the generated clients of these
// services are not used, because each builds the schemas of all its operations whenever a
// process starts, a quarter of the time until the webhook could take its first event
// (decision 046). Tests compare requests, results and failures with those of the generated
// clients.
//
// Inputs and outputs have the members that are used, and the names of AWS's documentation
// in JSON. Failures are those of the SDK: an [smithy.OperationError] around what happened,
// in which an answer of the service is a [smithy.APIError].
package awsapi
