package scale

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"gitlab.com/lorehook/lorehook/test/cost"
)

// Deployed is what a synthesized template says about a stack.
type Deployed struct {
	cost.Stack
	// Setting is the stack's.
	Setting
	// RequestsPerSecond is how many requests the HTTP API lets through, Burst how many at
	// once.
	RequestsPerSecond, Burst float64
	// HighThroughput is set if no queue for work is a FIFO queue without it.
	HighThroughput bool
}

// Setting is what decides how much a stack fetches.
type Setting struct {
	// Workers is workerConcurrency, Bulk how many workers passes have.
	Workers, Bulk int
	// Rate is gitlabRequestsPerSecond, of each worker and of the crawler.
	Rate float64
}

// Highest is how many requests a second all functions together send to GitLab at most.
func (s Setting) Highest() float64 { return float64(s.Workers+s.Bulk+1) * s.Rate }

// String is the settings' names and values.
func (s Setting) String() string {
	return fmt.Sprintf("`workerConcurrency` %d, `gitlabRequestsPerSecond` %g", s.Workers, s.Rate)
}

// Read reads a template.
func Read(template []byte) (Deployed, error) {
	stack, err := cost.Read(template)
	if err != nil {
		return Deployed{}, err
	}
	d := Deployed{Stack: stack, HighThroughput: true}
	var t struct {
		Resources map[string]struct {
			Type       string
			Properties json.RawMessage
		}
	}
	if err := json.Unmarshal(template, &t); err != nil {
		return d, fmt.Errorf("read the template: %w", err)
	}
	for id, r := range t.Resources {
		if err := d.read(id, r.Type, r.Properties); err != nil {
			return d, fmt.Errorf("%s: %w", id, err)
		}
	}
	if d.Workers == 0 || d.Bulk == 0 || d.Rate == 0 || d.RequestsPerSecond == 0 {
		return d, fmt.Errorf("the template lacks a setting: %+v, %g requests a second", d.Setting, d.RequestsPerSecond)
	}
	return d, nil
}

func (d *Deployed) read(id, kind string, properties json.RawMessage) error {
	var p struct {
		ScalingConfig        struct{ MaximumConcurrency int }
		FunctionName         json.RawMessage
		Environment          struct{ Variables map[string]json.RawMessage }
		DefaultRouteSettings struct{ ThrottlingRateLimit, ThrottlingBurstLimit float64 }
		FifoQueue            bool
		FifoThroughputLimit  string
	}
	switch kind {
	case "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Function", "AWS::ApiGatewayV2::Stage", "AWS::SQS::Queue":
	default:
		return nil
	}
	if err := json.Unmarshal(properties, &p); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(id, "RequestsMapping"): // followed by a hash
		d.Workers = p.ScalingConfig.MaximumConcurrency
	case strings.HasPrefix(id, "BulkMapping"):
		d.Bulk = p.ScalingConfig.MaximumConcurrency
	case strings.HasPrefix(id, "WorkerFunction"):
		var text string
		if err := json.Unmarshal(p.Environment.Variables["LOREHOOK_GITLAB_REQUESTS_PER_SECOND"], &text); err != nil {
			return err
		}
		var err error
		d.Rate, err = strconv.ParseFloat(text, 64)
		return err
	case kind == "AWS::ApiGatewayV2::Stage":
		d.RequestsPerSecond, d.Burst = p.DefaultRouteSettings.ThrottlingRateLimit, p.DefaultRouteSettings.ThrottlingBurstLimit
	case p.FifoQueue && p.FifoThroughputLimit != "perMessageGroupId":
		d.HighThroughput = false
	}
	return nil
}
