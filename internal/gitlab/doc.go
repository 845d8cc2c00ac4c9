// Package gitlab fetches what an entity of GitLab looks like now:
// [Client.Fetch]. What GitLab's webhooks say is read by package delivery.
package gitlab
