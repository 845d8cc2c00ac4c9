// Package e2e tests the deployed stack from outside: the compiled functions
// behind the template's gateway, queues, roles and state machine, on a local
// AWS that enforces IAM, with a demo GitLab on loopback.
package e2e
