// Package apiclient calls the manual HTTP API. It decodes what people are shown
// and keeps every answer as it came, for machines.
//
// Failures are [surgical.Error]s: the API's own problems with all that they
// carry, and [CodeUnavailable] or [CodeForbidden] where no answer of the API
// came at all.
package apiclient
