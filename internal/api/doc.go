// Package api is the manual HTTP API: it starts and controls runs, and reads
// runs and the stored copies of entities. Its description is generated from
// the same types that serve it (OpenAPI 3.1).
//
// Every failure is an RFC 9457 problem that carries the code, action and
// retryability of the domain's errors. Who may call is decided in front of
// the API: on AWS its routes require IAM signatures.
package api
