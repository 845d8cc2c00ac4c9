// Package load sends many events through a deployed stack and compares what
// comes of them with the truth of the GitLab that they tell of: every
// acknowledged event is accounted for, every copy, document and embedding is
// what the truth renders to, and the worker's memory stays flat.
//
// What is sent follows from a seed: the changes, the events that come twice,
// those that come behind a later one, and the faults of GitLab.
package load
