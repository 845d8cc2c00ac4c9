// Package apidoc renders the API's OpenAPI description as a Markdown page for
// people: docs/api.md.
package apidoc
