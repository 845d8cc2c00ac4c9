package dynamodb

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

// checkUpdate rejects changes to keys and overlapping paths.
func (s *scope) checkUpdate(t *table, u *update) error {
	var paths [][]string
	for _, n := range slices.Concat(u.sets, u.removes, u.adds) {
		if err := s.use(n); err != nil {
			return err
		}
		path := s.path(n.args[0])
		for _, k := range t.keys() {
			if path[0] == k.Name {
				return invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", k.Name)
			}
		}
		for _, other := range paths {
			short := min(len(path), len(other))
			if slices.Equal(path[:short], other[:short]) {
				return invalid("Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths")
			}
		}
		paths = append(paths, path)
	}
	return nil
}

// apply returns the updated item. Every operand refers to the original item.
func (s *scope) apply(u *update, before dynamo.Item) (dynamo.Item, error) {
	after := copyItem(before)
	for _, n := range u.sets {
		value, err := s.setValue(n.args[1], before)
		if err != nil {
			return nil, err
		}
		if err := assign(after, s.path(n.args[0]), value); err != nil {
			return nil, err
		}
	}
	for _, n := range u.removes {
		if err := remove(after, s.path(n.args[0])); err != nil {
			return nil, err
		}
	}
	for _, n := range u.adds {
		path := s.path(n.args[0])
		sum, err := added(lookup(before, path), s.value(n.args[1], before))
		if err != nil {
			return nil, err
		}
		if err := assign(after, path, sum); err != nil {
			return nil, err
		}
	}
	return after, nil
}

func (s *scope) setValue(n *node, before dynamo.Item) (types.AttributeValue, error) {
	if n.op == "if_not_exists" {
		if value := s.value(n.args[0], before); value != nil {
			return copyValue(value), nil
		}
		n = n.args[1]
	}
	value := s.value(n, before)
	if value == nil {
		return nil, invalid("The provided expression refers to an attribute that does not exist in the item")
	}
	return copyValue(value), nil
}

// parent returns the map that contains the last name of the path.
func parent(item dynamo.Item, path []string) (dynamo.Item, error) {
	for _, name := range path[:len(path)-1] {
		m, ok := item[name].(*types.AttributeValueMemberM)
		if !ok {
			return nil, invalid("The document path provided in the update expression is invalid for update")
		}
		item = m.Value
	}
	return item, nil
}

func assign(item dynamo.Item, path []string, value types.AttributeValue) error {
	holder, err := parent(item, path)
	if err != nil {
		return err
	}
	holder[path[len(path)-1]] = value
	return nil
}

func remove(item dynamo.Item, path []string) error {
	holder, err := parent(item, path)
	if err != nil {
		return err
	}
	delete(holder, path[len(path)-1])
	return nil
}

// added implements ADD: of a number to a number, or of elements to a set.
func added(old, value types.AttributeValue) (types.AttributeValue, error) {
	switch v := value.(type) {
	case *types.AttributeValueMemberN:
		n, ok := old.(*types.AttributeValueMemberN)
		if old == nil {
			return copyValue(v), nil
		}
		if !ok {
			break
		}
		sum, err := addNumbers(n.Value, v.Value)
		return &types.AttributeValueMemberN{Value: sum}, err
	case *types.AttributeValueMemberSS:
		set, ok := old.(*types.AttributeValueMemberSS)
		if old == nil {
			return copyValue(v), nil
		}
		if !ok {
			break
		}
		union := slices.Sorted(slices.Values(slices.Concat(set.Value, v.Value)))
		return &types.AttributeValueMemberSS{Value: slices.Compact(union)}, nil
	}
	return nil, invalid("An operand in the update expression has an incorrect data type")
}
