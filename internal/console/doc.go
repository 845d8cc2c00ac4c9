// Package console shows Lorehook to people, in two front ends with one look.
//
// [NewSite] returns the console that `lore console` serves on loopback: search, lists,
// threads beside their documents, projects, runs, and the buttons Sync and Retry. It reads
// and requests everything through the API. Its pages need no JavaScript; a small script
// adds copy buttons and keys.
//
// [Widget] is the Lambda function of a custom widget in a CloudWatch dashboard, whose links
// invoke the function again (cwdb-action). It reads the run ledger, is read-only, and shows
// no titles and no text: who may see a dashboard may not necessarily read issues.
//
// Whatever comes from GitLab is untrusted and always escaped, or sanitized by the renderer
// of Markdown that the site is given.
package console
