// Package load sends many events through a deployed stack and compares the
// results with the truth in GitLab: every acknowledged event is accounted for,
// every copy, document and embedding is what the truth renders to, and the
// worker's memory stays flat.
//
// A seed determines the load: the changes, the duplicate events, those
// delivered after a later one, and GitLab's faults.
package load
