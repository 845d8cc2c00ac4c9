package api_test

import (
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/api"
)

func TestDescription_HasOnlySchemasThatGeneratorsOfClientsUnderstand(t *testing.T) {
	var look func(where string, v any)
	look = func(where string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				if slices.Contains([]string{"oneOf", "anyOf", "allOf", "not", "if", "const", "patternDescription", "dependentRequired"}, name) {
					t.Errorf("%s has %s", where, name)
				}
				if name != "examples" && name != "example" {
					look(where+"/"+name, inner)
				}
			}
		case []any:
			for _, inner := range v {
				look(where, inner)
			}
		}
	}
	look("", descriptionOf(t))
}

// A generated client refuses a response with a value that the enum of its version lacks.
func TestDescription_HasNoEnumToWhichALaterVersionMayAdd(t *testing.T) {
	document := descriptionOf(t)
	for field, known := range map[string]string{
		"Problem.code": "run_not_found", "Error.code": "run_lost", "SyncResult.error_code": "docs_failed",
		"RunSummary.origin": "follow_up", "SyncResult.stage": "embed",
	} {
		schema, name, _ := strings.Cut(field, ".")
		property, _ := value(document, pointer("components", "schemas", schema, "properties", name)).(map[string]any)
		values, _ := property[api.KnownValues].([]any)
		if property["enum"] != nil || !slices.Contains(values, any(known)) {
			t.Errorf("%s is %v", field, property)
		}
	}
}
