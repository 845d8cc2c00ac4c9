// Package reliability holds the tests of what docs/reliability.md promises:
// every fault at every call, every process dead at every point, and recovery
// from outages. They check outcomes: what readers see in the end, against
// GitLab's truth.
package reliability
