// Package gitlab fetches the current state of an issue or merge request over
// GitLab's REST API: see [Client.Fetch]. Webhooks are parsed by package
// delivery.
package gitlab
