package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/api"
)

// marker begins every page that is generated.
const marker = "<!-- Generated from the OpenAPI description by `make docs`. Do not edit. -->"

// The page that leads to all others, and the one of the types that several pages need.
const (
	indexFile = "README.md"
	typesFile = "types.md"
)

// Render returns the API's documentation as Markdown pages by file name: one for each
// resource, which is a tag of the description.
func Render(description *huma.OpenAPI) (map[string][]byte, error) {
	d := &document{schemas: description.Components.Schemas, operations: operations(description)}
	d.settle(description.Tags)
	pages := map[string][]byte{indexFile: d.index(description), typesFile: d.sharedTypes()}
	for _, tag := range description.Tags {
		page, err := d.resource(tag)
		if err != nil {
			return nil, err
		}
		pages[fileOf(tag)] = page
	}
	return pages, nil
}

// fileOf is the page of a resource.
func fileOf(tag *huma.Tag) string { return tag.Name + ".md" }

// document is what the pages have in common.
type document struct {
	schemas    huma.Registry
	operations []*huma.Operation
	// homes are the pages that describe the types, by the types' names.
	homes map[string]string
}

// page accumulates the output of one file.
type page struct {
	*document
	bytes.Buffer
	file string
}

func (d *document) page(file string) *page {
	p := &page{document: d, file: file}
	p.line(marker + "\n")
	return p
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// of returns the operations of a resource.
func (d *document) of(tag *huma.Tag) []*huma.Operation {
	return slices.DeleteFunc(slices.Clone(d.operations), func(op *huma.Operation) bool { return op.Tags[0] != tag.Name })
}

// resource is the page of one resource.
func (d *document) resource(tag *huma.Tag) ([]byte, error) {
	p := d.page(fileOf(tag))
	p.line("# %s\n\n%s\n", title(tag.Name), tag.Description)
	p.line("[The HTTP API](%s) describes calls, lists and failures.\n", indexFile)
	p.line("| operation | purpose |\n|---|---|")
	for _, op := range d.of(tag) {
		p.line("| [`%s %s`](#%s) | %s |", op.Method, op.Path, op.OperationID, op.Summary)
	}
	p.line("")
	for _, op := range d.of(tag) {
		if err := p.operation(op); err != nil {
			return nil, fmt.Errorf("render %s: %w", op.OperationID, err)
		}
	}
	p.types()
	return p.bytes(), nil
}

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

func title(tag string) string {
	return strings.ToUpper(tag[:1]) + strings.ReplaceAll(tag[1:], "-", " ")
}

// index is the page with what holds for all operations, and their list.
func (d *document) index(description *huma.OpenAPI) []byte {
	p := d.page(indexFile)
	p.line("# The HTTP API\n")
	p.line("%s\n", strings.TrimSpace(description.Info.Description))
	p.line("## Clients\n")
	p.line("Quick starts with generated clients and signed calls: [Python](python.md), [TypeScript](typescript.md). Tests generate, compile and run both. New versions add fields and codes: [what stays](../upgrading.md#what-a-version-promises).\n")
	p.line("## Operations\n")
	p.line("Every stack serves the OpenAPI description itself, for tools, at `/openapi.json`. The examples on the pages are recorded responses.\n")
	p.line("| resource | |\n|---|---|")
	for _, tag := range description.Tags {
		p.line("| [%s](%s) | %s |", title(tag.Name), fileOf(tag), cell(tag.Description))
	}
	p.line("| [Types](%s) | The types that several resources have. |\n", typesFile)
	p.line("| operation | purpose |\n|---|---|")
	for _, tag := range description.Tags {
		for _, op := range d.of(tag) {
			p.line("| [`%s %s`](%s#%s) | %s |", op.Method, op.Path, fileOf(tag), op.OperationID, op.Summary)
		}
	}
	return p.bytes()
}

func (p *page) operation(op *huma.Operation) error {
	p.line("<a id=%q></a>\n## %s\n", op.OperationID, op.Summary)
	p.line("`%s %s`\n\n%s\n", op.Method, op.Path, op.Description)
	p.parameters(op.Parameters)
	if op.RequestBody != nil {
		p.line("The body is a %s.\n", p.typeOf(op.RequestBody.Content["application/json"].Schema))
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
	code := http.StatusOK
	if status != api.OtherSuccess {
		if code, err = strconv.Atoi(status); err != nil {
			return err
		}
	}
	p.line("<details><summary>%d: %s</summary>\n", code, e.Summary)
	p.line("%s\n", e.Description)
	p.line("```http\nHTTP/1.1 %d %s\nContent-Type: %s", code, http.StatusText(code), media)
	for _, name := range slices.Sorted(maps.Keys(response.Headers)) {
		p.line("%s: %v", name, response.Headers[name].Example)
	}
	p.line("\n%s\n```\n\n</details>\n", body.String())
	return nil
}
