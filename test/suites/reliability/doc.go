// Package reliability tests the promises of docs/reliability.md: every fault at
// every call, a process death at every point, and recovery from outages. The
// tests check outcomes: what readers finally see, compared with GitLab's truth.
package reliability
