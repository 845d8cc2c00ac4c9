package dynamodb

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

// scope resolves the placeholders of one call's expressions, and records which
// were used.
type scope struct {
	names      map[string]string
	values     map[string]types.AttributeValue
	usedNames  map[string]bool
	usedValues map[string]bool
}

func newScope(names map[string]string, values map[string]types.AttributeValue) (*scope, error) {
	s := &scope{names: names, values: values, usedNames: map[string]bool{}, usedValues: map[string]bool{}}
	for name, value := range values {
		if err := checkValue(value); err != nil {
			return nil, invalid("ExpressionAttributeValues contains invalid value for key %s: %v", name, err)
		}
	}
	return s, nil
}

// use notes every placeholder of the tree and refuses unknown ones.
func (s *scope) use(n *node) error {
	switch n.op {
	case "path":
		for _, word := range n.words {
			if strings.HasPrefix(word, "#") {
				if _, ok := s.names[word]; !ok {
					return invalid("An expression attribute name used in the document path is not defined; attribute name: %s", word)
				}
				s.usedNames[word] = true
			}
		}
	case ":":
		if _, ok := s.values[n.words[0]]; !ok {
			return invalid("An expression attribute value used in expression is not defined; attribute value: %s", n.words[0])
		}
		s.usedValues[n.words[0]] = true
	}
	for _, arg := range n.args {
		if err := s.use(arg); err != nil {
			return err
		}
	}
	return nil
}

// unused refuses placeholders that no expression uses.
func (s *scope) unused() error {
	for name := range s.names {
		if !s.usedNames[name] {
			return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", name)
		}
	}
	for name := range s.values {
		if !s.usedValues[name] {
			return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", name)
		}
	}
	return nil
}

// path resolves the names of a path.
func (s *scope) path(n *node) []string {
	path := make([]string, len(n.words))
	for i, word := range n.words {
		path[i] = word
		if name, ok := s.names[word]; ok {
			path[i] = name
		}
	}
	return path
}

// lookup returns the value at the path, or nil.
func lookup(item dynamo.Item, path []string) types.AttributeValue {
	value := item[path[0]]
	for _, name := range path[1:] {
		m, ok := value.(*types.AttributeValueMemberM)
		if !ok {
			return nil
		}
		value = m.Value[name]
	}
	return value
}

// value returns the operand's value; nil for an absent attribute.
func (s *scope) value(n *node, item dynamo.Item) types.AttributeValue {
	if n.op == ":" {
		return s.values[n.words[0]]
	}
	return lookup(item, s.path(n))
}

// condition parses and checks a condition; it returns nil if there is none.
func (db *DB) condition(s *scope, expression *string) (*node, error) {
	if expression == nil {
		return nil, nil
	}
	n, err := db.parsed.condition(aws.ToString(expression))
	if err != nil {
		return nil, err
	}
	return n, s.use(n)
}

// holds evaluates the condition; an absent item is empty.
func (s *scope) holds(n *node, item dynamo.Item) (bool, error) {
	if n == nil {
		return true, nil
	}
	switch n.op {
	case "AND", "OR":
		for _, arg := range n.args {
			ok, err := s.holds(arg, item)
			if err != nil || ok == (n.op == "OR") {
				return ok, err
			}
		}
		return n.op == "AND", nil
	case "NOT":
		ok, err := s.holds(n.args[0], item)
		return !ok, err
	case "attribute_exists":
		return s.value(n.args[0], item) != nil, nil
	case "attribute_not_exists":
		return s.value(n.args[0], item) == nil, nil
	}
	return s.compared(n, item)
}

// compared evaluates an operator that compares values. If a value is absent,
// only "not equal" holds.
func (s *scope) compared(n *node, item dynamo.Item) (bool, error) {
	left, right := s.value(n.args[0], item), s.value(n.args[1], item)
	switch n.op {
	case "=":
		return left != nil && right != nil && equal(left, right), nil
	case "<>":
		return left == nil || right == nil || !equal(left, right), nil
	case "IN":
		for _, arg := range n.args[1:] {
			if value := s.value(arg, item); left != nil && value != nil && equal(left, value) {
				return true, nil
			}
		}
		return false, nil
	case "begins_with":
		text, ok := left.(*types.AttributeValueMemberS)
		prefix, isString := right.(*types.AttributeValueMemberS)
		if !isString {
			return false, unsupported("begins_with of anything but a string")
		}
		return ok && strings.HasPrefix(text.Value, prefix.Value), nil
	case "BETWEEN":
		low, okLow := compare(left, right)
		high, okHigh := compare(left, s.value(n.args[2], item))
		return okLow && okHigh && low >= 0 && high <= 0, nil
	}
	if _, ordered := compare(right, right); right != nil && !ordered {
		return false, invalid("Invalid ConditionExpression: Incorrect operand type for operator or function; operator or function: %s", n.op)
	}
	c, ok := compare(left, right)
	switch n.op {
	case "<":
		return ok && c < 0, nil
	case "<=":
		return ok && c <= 0, nil
	case ">":
		return ok && c > 0, nil
	case ">=":
		return ok && c >= 0, nil
	}
	return false, unsupported("the operator " + n.op)
}
