// Package apiclient is a client for the manual HTTP API. Every response is
// decoded for display and also kept verbatim for machines.
//
// Errors are [surgical.Error]s: the API's own problem details with all their
// members, or [CodeUnavailable] or [CodeForbidden] if the request never reached
// the API.
package apiclient
