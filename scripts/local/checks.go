package main

import "fmt"

// checks compares what came with what should have come, and remembers each
// difference.
type checks struct {
	out *terminal
	// subject is what is being checked, for the failures' names.
	subject  string
	failures []string
	settled  int
}

// equal is a failure of c unless got is want.
func equal[T comparable](c *checks, what string, got, want T) {
	if got == want {
		return
	}
	c.failures = append(c.failures, fmt.Sprintf("%s: %s: got %v, want %v", c.subject, what, got, want))
}

// settle prints the verdict on everything checked since the last time.
func (c *checks) settle() {
	fresh := c.failures[c.settled:]
	c.settled = len(c.failures)
	if len(fresh) == 0 {
		c.out.line("     %s", c.out.good.Sprint("✓ as it should be"))
	}
	for _, f := range fresh {
		c.out.line("     %s %s", c.out.bad.Sprint("✗"), f[len(c.subject)+2:])
	}
}
