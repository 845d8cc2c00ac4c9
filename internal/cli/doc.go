// Package cli implements the command-line program lore.
//
// For people, it prints aligned tables, in colour on a terminal, and progress on
// stderr. With --robot, it prints exactly one JSON envelope on stdout,
// {"ok":true,"data":…,"meta":{"elapsed_ms":…}} or {"ok":false,"error":{…},
// "meta":…}, and nothing else; data is the API's response.
//
// Every failure has a code, and every code has its own exit code, which never
// changes and is never reused.
package cli
