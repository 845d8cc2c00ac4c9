// Package metricstest reads lines in CloudWatch's embedded metric format as
// CloudWatch would, for tests, and rejects what CloudWatch would ignore.
package metricstest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
)

// schema is the format's JSON schema.
//
//go:embed emf.schema.json
var schema string

// maxLine and maxValues are the format's limits: bytes of a line, and values of
// one metric in it. A dimension's value has at most maxDimension characters.
const (
	maxLine      = 256 << 10
	maxValues    = 100
	maxDimension = 1024
)

// Datum is one metric of a line, with one set of dimensions.
type Datum struct {
	Namespace string
	Name      string
	Unit      metrics.Unit
	// Dimensions are "name=value", sorted and joined by commas.
	Dimensions string
	Values     []float64
}

// document is a line.
type document struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]metrics.Dimension
			Metrics    []struct {
				Name string
				Unit metrics.Unit
			}
		}
	} `json:"_aws"`
}

// Is reports whether a log line is meant to be a metric.
func Is(line string) bool { return strings.Contains(line, `"_aws"`) }

// Read returns the metrics of a line. It fails if the line violates the
// format's schema or a rule that the schema cannot express.
func Read(line []byte) ([]Datum, error) {
	if err := validate(line); err != nil {
		return nil, err
	}
	var d document
	var root map[string]any
	if err := errors.Join(json.Unmarshal(line, &d), json.Unmarshal(line, &root)); err != nil {
		return nil, err
	}
	var data []Datum
	used := []string{"_aws"}
	for _, directive := range d.AWS.CloudWatchMetrics {
		for _, set := range directive.Dimensions {
			dimensions, err := dimensions(root, set, &used)
			if err != nil {
				return nil, err
			}
			for _, m := range directive.Metrics {
				values, err := values(root, m.Name)
				if err != nil {
					return nil, err
				}
				used = append(used, m.Name)
				data = append(data, Datum{directive.Namespace, m.Name, m.Unit, dimensions, values})
			}
		}
	}
	for member := range root {
		if !slices.Contains(used, member) {
			return nil, fmt.Errorf("no directive names member %s", member)
		}
	}
	return data, nil
}

func validate(line []byte) error {
	if len(line) > maxLine {
		return fmt.Errorf("the line has %d bytes", len(line))
	}
	compiler := jsonschema.NewCompiler()
	described, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	if err := compiler.AddResource("emf.schema.json", described); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	compiled, err := compiler.Compile("emf.schema.json")
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return fmt.Errorf("not a single JSON object: %w", err)
	}
	return compiled.Validate(instance)
}

// dimensions finds the targets of a set: strings at the root.
func dimensions(root map[string]any, set []metrics.Dimension, used *[]string) (string, error) {
	var pairs []string
	for _, name := range set {
		value, ok := root[string(name)].(string)
		if !ok || value == "" || len(value) > maxDimension {
			return "", fmt.Errorf("dimension %s is %v: want a string of 1 to %d characters", name, root[string(name)], maxDimension)
		}
		*used = append(*used, string(name))
		pairs = append(pairs, string(name)+"="+value)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ","), nil
}

// values finds the target of a metric: one or more numbers at the root.
func values(root map[string]any, name string) ([]float64, error) {
	all, ok := root[name].([]any)
	if !ok {
		all = []any{root[name]}
	}
	if len(all) == 0 || len(all) > maxValues {
		return nil, fmt.Errorf("metric %s has %d values: want 1 to %d", name, len(all), maxValues)
	}
	numbers := make([]float64, len(all))
	for i, v := range all {
		if numbers[i], ok = v.(float64); !ok {
			return nil, fmt.Errorf("metric %s is %v, which is not a number", name, v)
		}
	}
	return numbers, nil
}
