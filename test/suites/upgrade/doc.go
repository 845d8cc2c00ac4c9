// Package upgrade runs the functions of commit 2f8f07a, the oldest whose rows and
// messages this version reads, beside those of this version: as compiled programs, on
// one set of tables, one queue and one GitLab, in every mixture that an upgrade can pass
// through.
package upgrade
