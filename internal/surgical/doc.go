// Package surgical is the domain of Lorehook: a surgical request names a few
// issues and merge requests of one GitLab project, and a run brings the local
// copy of exactly these up to date.
//
// A run has two halves. Preflight fetches everything and writes nothing;
// ingest stages what is new and makes all of it visible in one conditional
// transaction. The package depends on neither AWS nor GitLab.
package surgical
