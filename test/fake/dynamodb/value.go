package dynamodb

import (
	"bytes"
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
)

func copyItem(item dynamo.Item) dynamo.Item {
	if item == nil {
		return nil
	}
	c := make(dynamo.Item, len(item))
	for name, value := range item {
		c[name] = copyValue(value)
	}
	return c
}

// copyValue copies what a caller could change in place; nobody changes a scalar.
func copyValue(value types.AttributeValue) types.AttributeValue {
	switch v := value.(type) {
	case *types.AttributeValueMemberS, *types.AttributeValueMemberN, *types.AttributeValueMemberBOOL, *types.AttributeValueMemberNULL:
		return v
	case *types.AttributeValueMemberB:
		return &types.AttributeValueMemberB{Value: bytes.Clone(v.Value)}
	case *types.AttributeValueMemberSS:
		return &types.AttributeValueMemberSS{Value: slices.Clone(v.Value)}
	case *types.AttributeValueMemberL:
		list := make([]types.AttributeValue, len(v.Value))
		for i, element := range v.Value {
			list[i] = copyValue(element)
		}
		return &types.AttributeValueMemberL{Value: list}
	case *types.AttributeValueMemberM:
		return &types.AttributeValueMemberM{Value: copyItem(v.Value)}
	default:
		panic(fmt.Sprintf("fakedynamodb: %T passed validation", value))
	}
}

// checkItem rejects what DynamoDB would, and types that are not in use.
func checkItem(item dynamo.Item) error {
	for name, value := range item {
		if name == "" {
			return invalid("One or more parameter values were invalid: An attribute name is empty")
		}
		if err := checkValue(value); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(value types.AttributeValue) error {
	switch v := value.(type) {
	case *types.AttributeValueMemberS, *types.AttributeValueMemberB, *types.AttributeValueMemberBOOL, *types.AttributeValueMemberNULL:
		return nil
	case *types.AttributeValueMemberN:
		return checkNumber(v.Value)
	case *types.AttributeValueMemberSS:
		if len(v.Value) == 0 {
			return invalid("One or more parameter values were invalid: An string set  may not be empty")
		}
		if sorted := slices.Sorted(slices.Values(v.Value)); len(slices.Compact(sorted)) < len(v.Value) {
			return invalid("One or more parameter values were invalid: Input collection contains duplicates.")
		}
		return nil
	case *types.AttributeValueMemberL:
		for _, element := range v.Value {
			if err := checkValue(element); err != nil {
				return err
			}
		}
		return nil
	case *types.AttributeValueMemberM:
		return checkItem(v.Value)
	default:
		return unsupported(fmt.Sprintf("the attribute type %T", value))
	}
}

// maxDigits is the precision of DynamoDB's numbers.
const maxDigits = 38

func checkNumber(n string) error {
	if _, err := strconv.ParseInt(n, 10, 64); err == nil {
		return nil
	}
	if _, ok := number(n); !ok {
		return invalid("The parameter cannot be converted to a numeric value: %s", n)
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(n), "e")
	digits := strings.Trim(strings.TrimLeft(strings.ReplaceAll(mantissa, ".", ""), "+-"), "0")
	if len(digits) > maxDigits {
		return invalid("Attempting to store more than 38 significant digits in a Number")
	}
	return nil
}

func number(n string) (*big.Rat, bool) {
	if strings.ContainsAny(n, "/xXpP_") || len(n) > 200 {
		return nil, false
	}
	return new(big.Rat).SetString(n)
}

func compareNumbers(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	p, _ := number(a)
	q, _ := number(b)
	return p.Cmp(q)
}

// addNumbers adds integers; the code base adds nothing else.
func addNumbers(a, b string) (string, error) {
	x, okX := new(big.Int).SetString(a, 10)
	y, okY := new(big.Int).SetString(b, 10)
	if !okX || !okY {
		return "", unsupported("the sum of fractions")
	}
	sum := x.Add(x, y).String()
	return sum, checkNumber(sum)
}

// equal implements DynamoDB's =: the same type and the same value.
func equal(a, b types.AttributeValue) bool {
	if c, ok := compare(a, b); ok {
		return c == 0
	}
	switch x := a.(type) {
	case *types.AttributeValueMemberBOOL:
		y, ok := b.(*types.AttributeValueMemberBOOL)
		return ok && x.Value == y.Value
	case *types.AttributeValueMemberNULL:
		_, ok := b.(*types.AttributeValueMemberNULL)
		return ok
	case *types.AttributeValueMemberSS:
		y, ok := b.(*types.AttributeValueMemberSS)
		return ok && slices.Equal(slices.Sorted(slices.Values(x.Value)), slices.Sorted(slices.Values(y.Value)))
	case *types.AttributeValueMemberL:
		y, ok := b.(*types.AttributeValueMemberL)
		return ok && slices.EqualFunc(x.Value, y.Value, equal)
	case *types.AttributeValueMemberM:
		y, ok := b.(*types.AttributeValueMemberM)
		if !ok || len(x.Value) != len(y.Value) {
			return false
		}
		for name, value := range x.Value {
			if other, has := y.Value[name]; !has || !equal(value, other) {
				return false
			}
		}
		return true
	}
	return false
}

// compare orders two strings, numbers or binaries; anything else has no order.
func compare(a, b types.AttributeValue) (int, bool) {
	switch x := a.(type) {
	case *types.AttributeValueMemberS:
		if y, ok := b.(*types.AttributeValueMemberS); ok {
			return strings.Compare(x.Value, y.Value), true
		}
	case *types.AttributeValueMemberN:
		if y, ok := b.(*types.AttributeValueMemberN); ok {
			return compareNumbers(x.Value, y.Value), true
		}
	case *types.AttributeValueMemberB:
		if y, ok := b.(*types.AttributeValueMemberB); ok {
			return bytes.Compare(x.Value, y.Value), true
		}
	}
	return 0, false
}
