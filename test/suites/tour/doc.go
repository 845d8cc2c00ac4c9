// Package tour follows the README, the deploy guide and the runbooks as a newcomer would:
// in a fresh clone, with an empty home directory, command by command (make tour).
package tour
