package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// types lists every type with its fields.
func (p *page) types() {
	p.line("## Types\n")
	all := p.schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		p.line("### %s\n", name)
		if s.Description != "" {
			p.line("%s\n", s.Description)
		}
		p.line("| field | type | |\n|---|---|---|")
		for _, field := range p.fieldsOf(name, s) {
			about := cell(s.Properties[field].Description)
			if !slices.Contains(s.Required, field) {
				about = strings.TrimSpace("Optional. " + about)
			}
			p.line("| `%s` | %s | %s |", field, p.typeOf(s.Properties[field]), about)
		}
		p.line("")
	}
}

// fieldsOf returns the fields in the order of the Go type.
func (p *page) fieldsOf(name string, s *huma.Schema) []string {
	var names []string
	for _, field := range reflect.VisibleFields(p.schemas.TypeFromRef("#/components/schemas/" + name)) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if _, ok := s.Properties[name]; ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// typeOf describes a type and its constraints in words.
func (p *page) typeOf(s *huma.Schema) string {
	switch {
	case s.Ref != "":
		return fmt.Sprintf("[%s](#%s)", nameOf(s), anchorOf(s))
	case len(s.Enum) > 0:
		return oneOf(s.Enum)
	case s.Type == huma.TypeArray:
		return strings.TrimSpace("list of " + p.typeOf(s.Items) + bound(", at most ", s.MaxItems))
	case s.Type == huma.TypeObject:
		if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
			return "map of " + p.typeOf(values)
		}
		return "object"
	case s.Type == huma.TypeInteger:
		return strings.TrimSpace("integer" + interval(s))
	case s.Type == huma.TypeString && s.Format == "date-time":
		return "time"
	case s.Type == huma.TypeString && s.PatternDescription != "":
		return "string, " + s.PatternDescription
	case s.Type == huma.TypeString:
		return "string" + bound(", at most ", s.MaxLength)
	case s.Type == "":
		return "any JSON"
	default:
		return s.Type
	}
}

// many is the largest enum that is listed in full; a longer list would be noise.
const many = 8

func oneOf(values []any) string {
	if len(values) > many {
		return "[code](#failures)"
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("`%v`", v)
	}
	return strings.Join(texts, ", ")
}

func bound(words string, n *int) string {
	if n == nil {
		return ""
	}
	return words + strconv.Itoa(*n)
}

func interval(s *huma.Schema) string {
	switch {
	case s.Minimum != nil && s.Maximum != nil && *s.Maximum < 1<<31:
		return fmt.Sprintf(", %v to %v", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		return fmt.Sprintf(", at least %v", *s.Minimum)
	default:
		return ""
	}
}

func nameOf(s *huma.Schema) string { return s.Ref[strings.LastIndex(s.Ref, "/")+1:] }

// anchorOf is the anchor of the type's heading.
func anchorOf(s *huma.Schema) string { return strings.ToLower(nameOf(s)) }

// cell makes text fit into a table cell.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(text), "\n", " "), "|", `\|`)
}
