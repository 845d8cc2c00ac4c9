package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// settle decides on which page each type is described: on that of the only resource that
// needs it, or on the one for all.
func (d *document) settle(tags []*huma.Tag) {
	d.homes = map[string]string{}
	for _, tag := range tags {
		for name := range d.needed(d.of(tag)) {
			if d.homes[name] == "" {
				d.homes[name] = fileOf(tag)
			} else {
				d.homes[name] = typesFile
			}
		}
	}
}

// needed are the names of the types that the operations' bodies consist of.
func (d *document) needed(ops []*huma.Operation) map[string]bool {
	found := map[string]bool{}
	for _, op := range ops {
		if op.RequestBody != nil {
			d.collect(op.RequestBody.Content, found)
		}
		for _, response := range op.Responses {
			d.collect(response.Content, found)
		}
	}
	return found
}

func (d *document) collect(content map[string]*huma.MediaType, found map[string]bool) {
	for _, media := range content {
		d.collectSchema(media.Schema, found)
	}
}

func (d *document) collectSchema(s *huma.Schema, found map[string]bool) {
	if s == nil {
		return
	}
	if s.Ref != "" {
		if name := nameOf(s); !found[name] {
			found[name] = true
			d.collectSchema(d.schemas.Map()[name], found)
		}
		return
	}
	d.collectSchema(s.Items, found)
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		d.collectSchema(values, found)
	}
	for _, property := range s.Properties {
		d.collectSchema(property, found)
	}
}

// sharedTypes is the page of the types that several resources have.
func (d *document) sharedTypes() []byte {
	p := d.page(typesFile)
	p.line("# Types of several resources\n")
	p.line("Each other type is described on the page of its resource. [The HTTP API](%s) lists all operations.\n", indexFile)
	p.describeTypes("##")
	return p.bytes()
}

// types lists the types that only this page needs.
func (p *page) types() {
	if slices.Contains(slices.Collect(maps.Values(p.homes)), p.file) {
		p.line("## Types\n")
		p.describeTypes("###")
	}
}

// describeTypes describes every type whose home is this page, with its fields.
func (p *page) describeTypes(heading string) {
	all := p.schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if p.homes[name] != p.file {
			continue
		}
		s := all[name]
		p.line("%s %s\n", heading, name)
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

// linkTo leads to what has the anchor on the page of the file.
func (p *page) linkTo(file, anchor string) string {
	if file == p.file {
		file = ""
	}
	return file + "#" + anchor
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
		return fmt.Sprintf("[%s](%s)", nameOf(s), p.linkTo(p.homes[nameOf(s)], strings.ToLower(nameOf(s))))
	case s.Extensions[api.KnownValues] != nil:
		return p.openValues(s.Extensions[api.KnownValues].([]any))
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
	case s.Type == huma.TypeString && s.Extensions[api.PatternInWords] != nil:
		return fmt.Sprintf("string, %s", s.Extensions[api.PatternInWords])
	case s.Type == huma.TypeString:
		return "string" + bound(", at most ", s.MaxLength)
	case s.Type == "":
		return "any JSON"
	default:
		return s.Type
	}
}

func oneOf(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("`%v`", v)
	}
	return strings.Join(texts, ", ")
}

// openValues lists values to which later versions may add some. The codes have a list of
// their own.
func (p *page) openValues(values []any) string {
	if len(values) == len(surgical.Codes()) {
		return fmt.Sprintf("[code](%s)", p.linkTo(indexFile, "failures"))
	}
	return oneOf(values) + "; later versions may add some"
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

// cell makes text fit into a table cell.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(text), "\n", " "), "|", `\|`)
}
