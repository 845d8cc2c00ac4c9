// Package gitlab reads GitLab's REST API: the current state of an issue or merge
// request, see [Client.Fetch], and page by page the lists of what there is, see
// [Client.ListIssues]. Webhooks are parsed by package delivery.
package gitlab
