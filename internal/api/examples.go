package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// exampleRun is the run of most examples.
const exampleRun = "mjx4fmfywmng2fsdmvvkfc7f3ry"

// exampleFiles are calls and responses that a test recorded, named by operation
// and case. The same test checks that the API still responds that way.
//
//go:embed examples/*.json
var exampleFiles embed.FS

// example is one call with its response.
type example struct {
	Summary string `json:"summary"`
	Request struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers,omitempty"`
		Body    json.RawMessage   `json:"body,omitempty"`
	} `json:"request"`
	Response struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
	} `json:"response"`
}

// addExamples adds the recorded examples to their operations.
func addExamples(description *huma.OpenAPI) error {
	files, err := fs.Glob(exampleFiles, "examples/*.json")
	if err != nil {
		return fmt.Errorf("list examples: %w", err)
	}
	for _, file := range files {
		operation, name, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".json"), ".")
		var e example
		raw, err := exampleFiles.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(raw, &e)
		}
		if err == nil {
			err = e.add(description, operation, name)
		}
		if err != nil {
			return fmt.Errorf("example %s: %w", file, err)
		}
	}
	return nil
}

func (e example) add(description *huma.OpenAPI, operation, name string) error {
	for _, item := range description.Paths {
		for _, op := range Operations(item) {
			if op.OperationID != operation {
				continue
			}
			response := op.Responses[strconv.Itoa(e.Response.Status)]
			if response == nil && e.Response.Status < http.StatusMultipleChoices {
				response = op.Responses[OtherSuccess]
			}
			if response == nil {
				return fmt.Errorf("%s does not document a %d response", operation, e.Response.Status)
			}
			for kind, media := range response.Content {
				if (kind == markdownType) == e.isMarkdown() {
					keep(media, name, &huma.Example{Summary: e.Summary, Description: e.sent(), Value: e.Response.Body})
				}
			}
			if e.Request.Body != nil && e.Response.Status < http.StatusBadRequest {
				keep(op.RequestBody.Content["application/json"], name, &huma.Example{Summary: e.Summary, Value: e.Request.Body})
			}
			return nil
		}
	}
	return fmt.Errorf("there is no operation %s", operation)
}

// isMarkdown reports whether the response is Markdown: it is recorded as one JSON string.
func (e example) isMarkdown() bool { return bytes.HasPrefix(e.Response.Body, []byte(`"`)) }

func keep(media *huma.MediaType, name string, e *huma.Example) {
	if media.Examples == nil {
		media.Examples = map[string]*huma.Example{}
	}
	media.Examples[name] = e
}

func indented(raw json.RawMessage) string {
	var text bytes.Buffer
	if json.Indent(&text, raw, "", "  ") != nil {
		return string(raw) // cannot happen: it was decoded before
	}
	return text.String()
}

// sent is the request as sent over the wire, without the headers that every
// request has.
func (e example) sent() string {
	head := e.Request.Method + " " + e.Request.Path + " HTTP/1.1"
	for _, header := range []string{keyHeader, "Accept"} {
		if value := e.Request.Headers[header]; value != "" {
			head += "\n" + header + ": " + value
		}
	}
	if e.Request.Body != nil {
		head += "\nContent-Type: application/json\n\n" + indented(e.Request.Body)
	}
	return "```http\n" + head + "\n```"
}

// Operations returns the operations of a path, POST before GET, and DELETE last.
func Operations(item *huma.PathItem) []*huma.Operation {
	return slices.DeleteFunc([]*huma.Operation{item.Post, item.Get, item.Delete}, func(op *huma.Operation) bool { return op == nil })
}
