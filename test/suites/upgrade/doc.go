// Package upgrade runs the functions of the previous release beside those of this version:
// as compiled programs, on one set of tables, one queue and one GitLab, in every mixture
// that an upgrade can pass through.
package upgrade
