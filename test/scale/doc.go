// Package scale computes what happens to a stack when there is much to do: a busy
// namespace, an outage of GitLab, a backfill, a hot issue. docs/scale.md has the result.
//
// The numbers come from the bounds of package surgical, the settings of the synthesized
// template, the counts and latencies of package cost, the quotas in quotas.go and the
// assumptions in assumptions.go. The tests of this package run the real worker on
// simulated time, at a scale that takes seconds, and compare: see [Simulations].
package scale
