package cost

import (
	"encoding/json"
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/infra/prices"
)

// Stack is what a synthesized template says about costs.
type Stack struct {
	Functions map[string]Function
	// Secrets and Dashboards count resources, AlarmMetrics the metrics that alarms look
	// at.
	Secrets, AlarmMetrics, Dashboards int
	// PolledFIFO and PolledStandard are the queues that start functions.
	PolledFIFO, PolledStandard int
	// ManagedKeys counts tables with the key of DynamoDB in the account's KMS.
	ManagedKeys int
}

// Function is one function of a stack.
type Function struct {
	MemoryMB, StorageMB float64
	Traced              bool
}

// Read reads a template.
func Read(template []byte) (Stack, error) {
	var t struct {
		Resources map[string]struct {
			Type       string
			Properties json.RawMessage
		}
	}
	if err := json.Unmarshal(template, &t); err != nil {
		return Stack{}, fmt.Errorf("read the template: %w", err)
	}
	s := Stack{Functions: map[string]Function{}}
	fifo, standard := map[string]bool{}, map[string]bool{}
	var sources []string
	for id, r := range t.Resources {
		var err error
		switch r.Type {
		case "AWS::Lambda::Function":
			err = s.function(r.Properties)
		case "AWS::SecretsManager::Secret":
			s.Secrets++
		case "AWS::CloudWatch::Dashboard":
			s.Dashboards++
		case "AWS::CloudWatch::Alarm":
			err = s.alarm(r.Properties)
		case "AWS::DynamoDB::Table":
			if strings.Contains(string(r.Properties), `"SSEEnabled":true`) || strings.Contains(string(r.Properties), `"SSEEnabled": true`) {
				s.ManagedKeys++
			}
		case "AWS::SQS::Queue":
			if strings.Contains(string(r.Properties), "FifoQueue") {
				fifo[id] = true
			} else {
				standard[id] = true
			}
		case "AWS::Lambda::EventSourceMapping":
			sources = append(sources, reference(r.Properties, "EventSourceArn"))
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", id, err)
		}
	}
	for _, id := range sources {
		switch {
		case fifo[id]:
			s.PolledFIFO++
		case standard[id]:
			s.PolledStandard++
		}
	}
	return s, nil
}

func (s *Stack) function(properties json.RawMessage) error {
	var p struct {
		FunctionName     string
		MemorySize       float64
		EphemeralStorage struct{ Size float64 }
		TracingConfig    struct{ Mode string }
	}
	if err := json.Unmarshal(properties, &p); err != nil {
		return err
	}
	_, name, _ := strings.Cut(p.FunctionName, "-")
	s.Functions[name] = Function{MemoryMB: p.MemorySize, StorageMB: max(0, p.EphemeralStorage.Size-prices.FreeStorageMB), Traced: p.TracingConfig.Mode == "Active"}
	return nil
}

func (s *Stack) alarm(properties json.RawMessage) error {
	var p struct {
		Metrics []struct{ MetricStat *struct{} }
	}
	if err := json.Unmarshal(properties, &p); err != nil {
		return err
	}
	looked := 0
	for _, m := range p.Metrics {
		if m.MetricStat != nil {
			looked++
		}
	}
	s.AlarmMetrics += max(looked, 1)
	return nil
}

// reference is the id of the resource whose attribute a property is.
func reference(properties json.RawMessage, property string) string {
	var p map[string]json.RawMessage
	if json.Unmarshal(properties, &p) != nil {
		return ""
	}
	var att struct {
		GetAtt []string `json:"Fn::GetAtt"`
	}
	if json.Unmarshal(p[property], &att) != nil || len(att.GetAtt) == 0 {
		return ""
	}
	return att.GetAtt[0]
}
