package dashboard

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// evaluator evaluates metric math, as far as the dashboard uses it: numbers, metrics by
// their ids, + - * / >, parentheses, FILL(x, number), IF(x, y, z) and TIME_SERIES(number).
type evaluator struct {
	tokens []string
	lines  map[string][]float64
	// length is that of all lines.
	length int
}

var token = regexp.MustCompile(`[0-9]+(\.[0-9]+)?|[A-Za-z][A-Za-z0-9_]*|[-+*/>(),]|\S`)

// evaluate returns the values of an expression over lines of the same length. A value is
// NaN if one that it needs is missing.
func evaluate(text string, lines map[string][]float64, length int) ([]float64, error) {
	e := &evaluator{tokens: token.FindAllString(text, -1), lines: lines, length: length}
	result, err := e.sum()
	if err == nil && len(e.tokens) > 0 {
		err = fmt.Errorf("%q is not understood", e.tokens[0])
	}
	if err != nil {
		return nil, fmt.Errorf("the expression %.80s cannot be drawn: %w", text, err)
	}
	return result, nil
}

func (e *evaluator) peek() string {
	if len(e.tokens) == 0 {
		return ""
	}
	return e.tokens[0]
}

func (e *evaluator) next() string {
	t := e.peek()
	if t != "" {
		e.tokens = e.tokens[1:]
	}
	return t
}

func (e *evaluator) expect(want string) error {
	if got := e.next(); got != want {
		return fmt.Errorf("%q stands where %q is expected", got, want)
	}
	return nil
}

// comparison is 1 where it is true, and 0 elsewhere.
func (e *evaluator) comparison() ([]float64, error) { return e.chain(">", e.sum) }

func (e *evaluator) sum() ([]float64, error) {
	return e.chain("+-", func() ([]float64, error) { return e.chain("*/", e.factor) })
}

// chain evaluates operands between operators of one precedence.
func (e *evaluator) chain(operators string, operand func() ([]float64, error)) ([]float64, error) {
	left, err := operand()
	for err == nil && e.peek() != "" && strings.Contains(operators, e.peek()) {
		operator := e.next()
		var right []float64
		if right, err = operand(); err == nil {
			left = combine(operator, left, right)
		}
	}
	return left, err
}

func combine(operator string, left, right []float64) []float64 {
	out := make([]float64, len(left))
	for i := range left {
		switch operator {
		case "+":
			out[i] = left[i] + right[i]
		case "-":
			out[i] = left[i] - right[i]
		case "*":
			out[i] = left[i] * right[i]
		case "/":
			out[i] = left[i] / right[i]
		case ">":
			if left[i] > right[i] {
				out[i] = 1
			}
		}
	}
	return out
}

func (e *evaluator) factor() ([]float64, error) {
	t := e.next()
	if number, err := strconv.ParseFloat(t, 64); err == nil {
		return e.constant(number), nil
	}
	switch {
	case t == "(":
		inner, err := e.sum()
		if err != nil {
			return nil, err
		}
		return inner, e.expect(")")
	case e.peek() == "(":
		return e.call(t)
	case e.lines[t] != nil:
		return e.lines[t], nil
	}
	return nil, fmt.Errorf("%q is neither a metric nor a number", t)
}

// arities are how many arguments the functions have.
var arities = map[string]int{"TIME_SERIES": 1, "FILL": 2, "IF": 3}

func (e *evaluator) call(function string) ([]float64, error) {
	arity, known := arities[function]
	if !known {
		return nil, fmt.Errorf("%s is a function that only CloudWatch has", function)
	}
	var arguments [][]float64
	for i := range arity {
		if err := e.expect(map[bool]string{true: "(", false: ","}[i == 0]); err != nil {
			return nil, err
		}
		argument, err := e.comparison()
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, argument)
	}
	return apply(function, arguments), e.expect(")")
}

func apply(function string, of [][]float64) []float64 {
	out := make([]float64, len(of[0]))
	for i, v := range of[0] {
		switch {
		case function == "FILL" && math.IsNaN(v):
			out[i] = of[1][i]
		case function == "IF" && v != 0:
			out[i] = of[1][i]
		case function == "IF":
			out[i] = of[2][i]
		default:
			out[i] = v
		}
	}
	return out
}

func (e *evaluator) constant(value float64) []float64 {
	out := make([]float64, e.length)
	for i := range out {
		out[i] = value
	}
	return out
}
