// Package cli is the command-line program lore.
//
// People get aligned tables, colour where the output is a terminal, and
// progress on stderr. With --robot, stdout carries exactly one JSON envelope,
// {"ok":true,"data":…,"meta":{"elapsed_ms":…}} or {"ok":false,"error":{…},
// "meta":…}, and nothing else; data is what the API answered.
//
// Every failure has a code, and every code an exit code of its own, which is
// never given to another.
package cli
