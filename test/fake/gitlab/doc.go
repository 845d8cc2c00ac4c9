// Package gitlab is a small GitLab that lives in memory: the REST endpoints
// that Lorehook reads, with GitLab's shapes, paging, refusals and oddities, and
// with switches that make it slow, broken or renamed. The demo, the end-to-end
// tests and fault tests run against it.
//
// [State] is the truth and changes by its methods; [Server] shows it over HTTP.
package gitlab
