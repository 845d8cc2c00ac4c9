// Package clients generates clients from the API's description, compiles them, and runs
// the quick starts of docs/api with them: against the real handler of the API on a port of
// this machine, over the engine in memory, behind a check of every signature.
package clients
