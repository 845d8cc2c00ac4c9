package load

import "fmt"

// Report is what came of a load.
type Report struct {
	Shape Shape `json:"shape"`
	Sent  Sent  `json:"sent"`
	// Refused are events that the endpoint did not take, or not as it should.
	Refused []string `json:"refused"`
	// GitLabRequests were answered, GitLabFaults of them spoilt, by fault.
	GitLabRequests int            `json:"gitlab_requests"`
	GitLabFaults   map[string]int `json:"gitlab_faults"`
	Seconds        Seconds        `json:"seconds"`
	Account        Account        `json:"account"`
	Comparison     Comparison     `json:"comparison"`
	// Left is what did not come to rest.
	Left Left `json:"left"`
	// Memory is that of every function, Worker that of the worker.
	Memory []Memory `json:"memory"`
	Worker Memory   `json:"worker"`
	// LocalAWS is what the emulator took: near one core, it is what bounds the
	// rate.
	LocalAWS Busy `json:"local_aws"`
}

// Seconds is how long the parts of a load took.
type Seconds struct {
	Sending   float64 `json:"sending"`
	Draining  float64 `json:"draining"`
	Comparing float64 `json:"comparing"`
}

// Acknowledged is how many events a second the endpoint took.
func (r Report) Acknowledged() float64 { return float64(r.Sent.Acknowledged) / r.Seconds.Sending }

// Carried is how many events a second went through the whole stack.
func (r Report) Carried() float64 {
	return float64(r.Sent.Acknowledged) / (r.Seconds.Sending + r.Seconds.Draining)
}

// Wrong lists everything that is not as it should be.
func (r Report) Wrong() []string {
	var wrong []string
	wrong = append(wrong, r.Refused...)
	if r.Sent.Events != r.Shape.Events {
		wrong = append(wrong, fmt.Sprintf("%d of %d events were sent", r.Sent.Events, r.Shape.Events))
	}
	if r.Left != (Left{}) {
		wrong = append(wrong, "left behind: "+r.Left.String())
	}
	wrong = append(wrong, r.Account.Wrong...)
	wrong = append(wrong, r.Comparison.Differences...)
	if grew := r.Worker.Grew(); grew != "" {
		wrong = append(wrong, grew)
	}
	return wrong
}
