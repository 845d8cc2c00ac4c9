package load

import "fmt"

// Report is the result of a load.
type Report struct {
	Shape Shape `json:"shape"`
	Sent  Sent  `json:"sent"`
	// Refused are events that the endpoint did not accept, or accepted
	// incorrectly.
	Refused []string `json:"refused"`
	// GitLabRequests counts GitLab's responses, GitLabFaults the failed ones,
	// by fault.
	GitLabRequests int            `json:"gitlab_requests"`
	GitLabFaults   map[string]int `json:"gitlab_faults"`
	Seconds        Seconds        `json:"seconds"`
	Account        Account        `json:"account"`
	Comparison     Comparison     `json:"comparison"`
	// Recovery is what a reconcile did, if events were lost.
	Recovery *Recovery `json:"recovery,omitempty"`
	// Left is the work that was not completed.
	Left Left `json:"left"`
	// Memory covers every function, Worker only the worker.
	Memory []Memory `json:"memory"`
	Worker Memory   `json:"worker"`
	// LocalAWS is the emulator's usage: if it is close to one core, the
	// emulator limits the rate.
	LocalAWS Busy `json:"local_aws"`
}

// Seconds is the duration of each part of a load.
type Seconds struct {
	Sending   float64 `json:"sending"`
	Draining  float64 `json:"draining"`
	Comparing float64 `json:"comparing"`
}

// Acknowledged is the number of events per second that the endpoint accepted.
func (r Report) Acknowledged() float64 { return float64(r.Sent.Acknowledged) / r.Seconds.Sending }

// Carried is the number of events per second that went through the whole stack.
func (r Report) Carried() float64 {
	return float64(r.Sent.Acknowledged) / (r.Seconds.Sending + r.Seconds.Draining)
}

// Wrong lists everything that is lost, incorrect or incomplete.
func (r Report) Wrong() []string {
	var wrong []string
	wrong = append(wrong, r.Refused...)
	if wanted := r.Shape.Events - r.Shape.lost(); r.Sent.Events != wanted {
		wrong = append(wrong, fmt.Sprintf("%d of %d events were sent", r.Sent.Events, wanted))
	}
	if r.Recovery != nil {
		wrong = append(wrong, r.Recovery.wrong()...)
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
