package stepfunctions

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/blues/jsonata-go"
)

// template is a JSON value in which strings between {% and %} are JSONata.
type template struct{ value any }

// parseTemplate checks every expression of the template.
func parseTemplate(raw json.RawMessage) (template, error) {
	if raw == nil {
		return template{}, errors.New("a template is missing")
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return template{}, err
	}
	return template{value}, checkExpressions(value)
}

func checkExpressions(value any) error {
	switch v := value.(type) {
	case map[string]any:
		for _, part := range v {
			if err := checkExpressions(part); err != nil {
				return err
			}
		}
	case []any:
		for _, part := range v {
			if err := checkExpressions(part); err != nil {
				return err
			}
		}
	case string:
		text, ok := expression(v)
		if !ok {
			return nil
		}
		if _, err := jsonata.Compile(text); err != nil {
			return fmt.Errorf("expression %q: %w", text, err)
		}
	}
	return nil
}

func expression(text string) (string, bool) {
	text, begins := strings.CutPrefix(text, "{%")
	text, ends := strings.CutSuffix(text, "%}")
	return strings.TrimSpace(text), begins && ends
}

// states returns the value of $states.
type states map[string]any

// evaluate returns the template's value. An expression without a value is an
// error, as in Step Functions.
func (t template) evaluate(s states) (any, error) { return evaluate(t.value, s) }

func evaluate(value any, s states) (any, error) {
	switch v := value.(type) {
	case map[string]any:
		result := make(map[string]any, len(v))
		for name, part := range v {
			var err error
			if result[name], err = evaluate(part, s); err != nil {
				return nil, err
			}
		}
		return result, nil
	case []any:
		result := make([]any, len(v))
		for i, part := range v {
			var err error
			if result[i], err = evaluate(part, s); err != nil {
				return nil, err
			}
		}
		return result, nil
	case string:
		if text, ok := expression(v); ok {
			return evaluateExpression(text, s)
		}
	}
	return value, nil
}

// evaluateExpression compiles the expression each time, because a compiled one
// holds its variables and executions run concurrently.
func evaluateExpression(text string, s states) (any, error) {
	e, err := jsonata.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	if err := e.RegisterVars(map[string]any{"states": map[string]any(s)}); err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	result, err := e.Eval(nil)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	return result, nil
}
