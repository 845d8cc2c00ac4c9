package cost

import "maps"

// Counted is what something uses of AWS, as counted while the functions did it, whatever
// the prices and the sizes of the functions.
type Counted struct {
	// Functions is by the functions' names.
	Functions map[string]Used
	// Gateway counts requests to the HTTP API.
	Gateway float64 `json:",omitempty"`
	// Received counts batches received from FIFO queues; each takes a request to receive
	// and one to delete it.
	Received float64 `json:",omitempty"`
	// Executions of the workflow entered States states.
	Executions float64 `json:",omitempty"`
	States     float64 `json:",omitempty"`
	// Characters were embedded.
	Characters float64 `json:",omitempty"`
	// Series is how many different metrics were emitted, and Keys how many pairs of a
	// function and a table there were.
	Series float64 `json:",omitempty"`
	Keys   float64 `json:",omitempty"`
	// Bytes is the size of what was stored in DynamoDB, Index that of what was stored in
	// the bucket.
	Bytes float64 `json:",omitempty"`
	Index float64 `json:",omitempty"`
	// Hottest is the write units of the partition key of each table, or table.index, to
	// which most was written. One of their kind means what its entity does not share.
	Hottest map[string]float64 `json:",omitempty"`
}

// Used is what invocations of one function use.
type Used struct {
	Invocations float64
	// Calls counts calls by what they are to; see [latencies].
	Calls map[string]float64 `json:",omitempty"`
	// Writes and Reads are DynamoDB's units.
	Writes float64 `json:",omitempty"`
	Reads  float64 `json:",omitempty"`
	// Log is the bytes of the function's own lines, Metrics those of the lines that are
	// metrics, with what CloudWatch adds for each.
	Log     float64 `json:",omitempty"`
	Metrics float64 `json:",omitempty"`
}

// times returns n times as much.
func (c Counted) times(n float64) Counted {
	c.Gateway, c.Received, c.Executions, c.States = n*c.Gateway, n*c.Received, n*c.Executions, n*c.States
	c.Characters, c.Bytes, c.Index = n*c.Characters, n*c.Bytes, n*c.Index
	functions := map[string]Used{}
	for name, u := range c.Functions {
		functions[name] = u.times(n)
	}
	c.Functions = functions
	c.Hottest = maps.Clone(c.Hottest)
	for key := range c.Hottest {
		c.Hottest[key] *= n
	}
	return c
}

func (u Used) times(n float64) Used {
	u.Invocations, u.Writes, u.Reads, u.Log, u.Metrics = n*u.Invocations, n*u.Writes, n*u.Reads, n*u.Log, n*u.Metrics
	u.Calls = maps.Clone(u.Calls)
	for to := range u.Calls {
		u.Calls[to] *= n
	}
	return u
}

// WithComments returns a change that brings so many comments at once, by what more of them
// take in the first copy of an issue: an estimate, because those are stored in one batch.
func (c Counts) WithComments(comments float64) Counted {
	one, copied := c.Changes[0], c.First
	more := (comments - 1) / notes
	sum := one.times(1)
	sum.Characters += more * (copied.Characters - one.Characters)
	for _, name := range []string{"worker", "docs", "embed", "feed"} {
		u, all := sum.Functions[name], copied.Functions[name]
		u.Writes += more * max(0, all.Writes-u.Writes)
		u.Reads += more * max(0, all.Reads-u.Reads)
		for to, n := range all.Calls {
			u.Calls[to] += more * max(0, n-one.Functions[name].Calls[to])
		}
		sum.Functions[name] = u
	}
	return sum
}

// Units returns DynamoDB's units of all functions.
func (c Counted) Units() (writes, reads float64) {
	for _, u := range c.Functions {
		writes, reads = writes+u.Writes, reads+u.Reads
	}
	return writes, reads
}

// Calls returns how many calls of all functions are to the given place.
func (c Counted) Calls(to string) (n float64) {
	for _, u := range c.Functions {
		n += u.Calls[to]
	}
	return n
}

// invocations returns those of all functions.
func (c Counted) invocations() (n float64) {
	for _, u := range c.Functions {
		n += u.Invocations
	}
	return n
}
