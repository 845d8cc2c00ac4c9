package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/api"
)

// Render returns the API's documentation as a Markdown page.
func Render(description *huma.OpenAPI) ([]byte, error) {
	p := &page{schemas: description.Components.Schemas, operations: operations(description)}
	p.line("<!-- Generated from the OpenAPI description by `make docs`. Do not edit. -->\n")
	p.line("# The HTTP API\n")
	p.line("%s\n", strings.TrimSpace(description.Info.Description))
	p.line("Every stack serves the OpenAPI description itself, for tools, at `/openapi.json`. The examples below are recorded responses.\n")
	p.index(description.Tags)
	for _, tag := range description.Tags {
		p.line("## %s\n\n%s\n", title(tag.Name), tag.Description)
		for _, op := range p.operations {
			if op.Tags[0] != tag.Name {
				continue
			}
			if err := p.operation(op); err != nil {
				return nil, fmt.Errorf("render %s: %w", op.OperationID, err)
			}
		}
	}
	p.types()
	return p.bytes(), nil
}

// page accumulates the output.
type page struct {
	bytes.Buffer
	schemas    huma.Registry
	operations []*huma.Operation
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// bytes returns the page with consecutive empty lines merged into one.
func (p *page) bytes() []byte {
	lines := slices.CompactFunc(strings.Split(strings.TrimSpace(p.String()), "\n"), func(a, b string) bool { return a == "" && b == "" })
	return []byte(strings.Join(lines, "\n") + "\n")
}

// operations returns the operations in reading order: short paths before long
// ones, and POST before GET.
func operations(description *huma.OpenAPI) []*huma.Operation {
	var all []*huma.Operation
	for _, path := range slices.SortedFunc(maps.Keys(description.Paths), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")), cmp.Compare(a, b))
	}) {
		item := description.Paths[path]
		for _, op := range api.Operations(item) {
			op.Path = path
			all = append(all, op)
		}
	}
	return all
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// index lists the operations.
func (p *page) index(tags []*huma.Tag) {
	p.line("## Operations\n\n| operation | purpose |\n|---|---|")
	for _, tag := range tags {
		for _, op := range p.operations {
			if op.Tags[0] == tag.Name {
				p.line("| [`%s %s`](#%s) | %s |", op.Method, op.Path, op.OperationID, op.Summary)
			}
		}
	}
	p.line("")
}

func (p *page) operation(op *huma.Operation) error {
	p.line("<a id=%q></a>\n### %s\n", op.OperationID, op.Summary)
	p.line("`%s %s`\n\n%s\n", op.Method, op.Path, op.Description)
	p.parameters(op.Parameters)
	if op.RequestBody != nil {
		p.line("The body is a [%s](#%s).\n", nameOf(op.RequestBody.Content["application/json"].Schema), anchorOf(op.RequestBody.Content["application/json"].Schema))
	}
	p.answers(op)
	return p.examples(op)
}

func (p *page) parameters(parameters []*huma.Param) {
	if len(parameters) == 0 {
		return
	}
	p.line("| parameter | in | type | |\n|---|---|---|---|")
	for _, param := range parameters {
		p.line("| `%s` | %s | %s | %s |", param.Name, param.In, p.typeOf(param.Schema), cell(param.Description))
	}
	p.line("")
}

func (p *page) answers(op *huma.Operation) {
	p.line("| response | body | |\n|---|---|---|")
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := op.Responses[status]
		body := ""
		for i, media := range slices.Sorted(maps.Keys(response.Content)) {
			if i > 0 {
				body += fmt.Sprintf(", or %s as `%s`", p.typeOf(response.Content[media].Schema), media)
				continue
			}
			body = p.typeOf(response.Content[media].Schema)
		}
		about := response.Description
		for _, name := range slices.Sorted(maps.Keys(response.Headers)) {
			header := response.Headers[name]
			about += fmt.Sprintf(" `%s`: %s", name, header.Description)
		}
		p.line("| %s | %s | %s |", status, body, cell(about))
	}
	p.line("")
}

// examples prints each recorded call with its complete response.
func (p *page) examples(op *huma.Operation) error {
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := op.Responses[status]
		for _, media := range slices.Sorted(maps.Keys(response.Content)) {
			examples := response.Content[media].Examples
			for _, name := range slices.Sorted(maps.Keys(examples)) {
				if err := p.example(response, status, media, examples[name]); err != nil {
					return fmt.Errorf("example %s: %w", name, err)
				}
			}
		}
	}
	return nil
}

func (p *page) example(response *huma.Response, status, media string, e *huma.Example) error {
	raw, err := json.Marshal(e.Value)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	var text string
	if json.Unmarshal(raw, &text) == nil {
		body.WriteString(text)
	} else if err := json.Indent(&body, raw, "", "  "); err != nil {
		return err
	}
	var code int
	if _, err := fmt.Sscan(status, &code); err != nil {
		return err
	}
	p.line("<details><summary>%s: %s</summary>\n", status, e.Summary)
	p.line("%s\n", e.Description)
	p.line("```http\nHTTP/1.1 %s %s\nContent-Type: %s", status, http.StatusText(code), media)
	for _, name := range slices.Sorted(maps.Keys(response.Headers)) {
		p.line("%s: %v", name, response.Headers[name].Example)
	}
	p.line("\n%s\n```\n\n</details>\n", body.String())
	return nil
}
