// Package faults is every failure that AWS and GitLab are known to produce, as
// a caller meets it: the SDK's own types of error, GitLab's own answers. They
// are injected at the boundary (see cloud.Intercept), never inside the
// domain, and only by tests.
//
// A [Kind] stands above the SDK's retries: it is how a whole call ends, so each
// is what is left when the retries were used up. [Wire] stands below them: it
// spoils single requests and shows what the retries make of it. A test holds
// the shapes of the former to what the SDK makes of the latter.
package faults
