package api

import (
	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// listCodes adds the codes to the fields that have one.
func listCodes(schemas map[string]*huma.Schema) {
	codes := make([]any, 0, len(surgical.Codes()))
	for _, code := range surgical.Codes() {
		codes = append(codes, string(code))
	}
	for _, schema := range schemas {
		for name, property := range schema.Properties {
			if name == "code" || name == "error_code" {
				property.Enum = codes
			}
		}
	}
}

// KnownValues names the extension of a schema that lists its values when a later version
// may add some. A client that was generated from an enum would refuse those.
const KnownValues = "x-extensible-enum"

// leaveOpen moves the values of fields to which a later version may add some, as
// docs/upgrading.md lists them, into an extension. No request has such a field.
func leaveOpen(schemas map[string]*huma.Schema) {
	for _, schema := range schemas {
		for _, name := range []string{"code", "error_code", "origin", "stage", "stages"} {
			property := schema.Properties[name]
			if property != nil && property.Items != nil {
				property = property.Items
			}
			if property != nil && property.Enum != nil {
				property.Extensions = map[string]any{KnownValues: property.Enum}
				property.Enum = nil
			}
		}
	}
}

// PatternInWords names the extension of a schema that says its pattern in words.
const PatternInWords = "x-pattern-description"

// explainPatterns moves what patterns mean in words into an extension: OpenAPI does not
// know huma's own keyword for it. Huma's messages have the words already.
func explainPatterns(description *huma.OpenAPI) {
	explain := func(s *huma.Schema) {
		for s != nil && s.Items != nil {
			s = s.Items
		}
		if s != nil && s.PatternDescription != "" {
			s.Extensions = map[string]any{PatternInWords: s.PatternDescription}
			s.PatternDescription = ""
		}
	}
	for _, schema := range description.Components.Schemas.Map() {
		for _, property := range schema.Properties {
			explain(property)
		}
	}
	for _, item := range description.Paths {
		for _, op := range Operations(item) {
			for _, p := range op.Parameters {
				explain(p.Schema)
			}
		}
	}
}
