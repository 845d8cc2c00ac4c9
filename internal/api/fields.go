package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// FieldsInput selects fields of the response.
type FieldsInput struct {
	Fields string `query:"fields" maxLength:"1024" pattern:"^[a-z_]+(,[a-z_]+)*$" example:"iid,title,state" doc:"Only these fields, comma-separated; project_id, type and iid are always included."`
}

// alwaysShown are the fields that a response has whatever is selected.
func alwaysShown() []string { return []string{"project_id", "type", "iid", "omitted", "next_cursor"} }

// selected returns the selected fields, nil for all of T's. T is a struct.
func selected[T any](in FieldsInput) ([]string, error) {
	if in.Fields == "" {
		return nil, nil
	}
	fields, known := strings.Split(in.Fields, ","), jsonNames(reflect.TypeFor[T]())
	for _, field := range fields {
		if !slices.Contains(known, field) {
			return nil, invalid("query.fields", in.Fields, fmt.Sprintf("%s is not a field; the fields are %s", field, strings.Join(known, ", ")))
		}
	}
	return append(fields, alwaysShown()...), nil
}

// jsonNames returns the names of a struct's fields in JSON, in their order.
func jsonNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			names = append(names, jsonNames(field.Type)...)
		} else if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// only encodes the view with the selected fields; nil selects all.
func only(view any, fields []string) ([]byte, error) {
	raw, err := json.Marshal(view)
	if err != nil || fields == nil {
		return raw, err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, err
	}
	for name := range values {
		if !slices.Contains(fields, name) {
			delete(values, name)
		}
	}
	return json.Marshal(values)
}
