// Package faults contains every failure that AWS and GitLab are known to
// produce, as a caller sees it: the SDK's own error types, and GitLab's own
// responses. They are injected at the boundary (see cloud.Intercept), never
// inside the domain, and only by tests.
//
// A [Kind] is injected above the SDK's retries: it is how a whole call ends, so
// each is the result once the retries are used up. [Wire] is below them: it
// makes single requests fail, to show what the retries make of it. A test
// compares the errors of the former with those that the SDK makes of the
// latter.
package faults
