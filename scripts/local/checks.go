package main

import "fmt"

// checks compares actual with expected results and records every difference.
type checks struct {
	out *terminal
	// subject names what is being checked; it prefixes each failure.
	subject  string
	failures []string
	settled  int
}

// equal records a failure unless got equals want.
func equal[T comparable](c *checks, what string, got, want T) {
	if got == want {
		return
	}
	c.failures = append(c.failures, fmt.Sprintf("%s: %s: got %v, want %v", c.subject, what, got, want))
}

// settle prints the result of everything checked since the last call.
func (c *checks) settle() {
	fresh := c.failures[c.settled:]
	c.settled = len(c.failures)
	if len(fresh) == 0 {
		c.out.line("     %s", c.out.good.Sprint("✓ as expected"))
	}
	for _, f := range fresh {
		c.out.line("     %s %s", c.out.bad.Sprint("✗"), f[len(c.subject)+2:])
	}
}
