// Package gitlab is a small in-memory GitLab: the REST endpoints that Lorehook
// reads, with GitLab's formats, pagination, errors and quirks, and with
// switches that make it slow or broken, or rename a project. The demo, the
// end-to-end tests and the fault tests run against it.
//
// [State] is the truth and is changed by its methods; [Server] serves it over
// HTTP.
package gitlab
