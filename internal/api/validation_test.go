package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// wrongValues are JSON values that the schema rejects, one for each of its
// constraints.
func wrongValues(t *testing.T, name string, s *huma.Schema) []string {
	t.Helper()
	var wrong []string
	switch {
	case len(s.Enum) > 0:
		wrong = append(wrong, `"bogus"`, `""`)
	case s.Type == huma.TypeInteger:
		wrong = append(wrong, "0", "-7", "1.5", `"seven"`, "99999999999999999999")
		if s.Maximum != nil {
			wrong = append(wrong, fmt.Sprint(*s.Maximum+1))
		}
	case s.Type == huma.TypeBoolean:
		wrong = append(wrong, `"yes"`, "1", "null", "[true]")
	case s.Type == huma.TypeArray:
		wrong = append(wrong, "7", "null", "[0]", "[7,-7]", `["seven"]`, "[null]", "[1.5]", iids(*s.MaxItems+1))
	case s.Type == huma.TypeString && s.Format == "date-time":
		wrong = append(wrong, `"yesterday"`, `"2026-05-20"`, `"7"`)
	case s.Type == huma.TypeString && s.MaxLength != nil:
		wrong = append(wrong, fmt.Sprintf("%q", strings.Repeat("a", *s.MaxLength+1)))
		if !slices.Contains(anyText(), name) {
			wrong = append(wrong, `"ä ö"`)
		}
	default:
		t.Fatalf("%s: nothing wrong is known for %s", name, s.Type)
	}
	return wrong
}

// anyText are the fields that take any text up to their length.
func anyText() []string {
	return []string{"q", "label", "author", "assignee", "milestone", "If-None-Match"}
}

// text is a JSON value as written in a path, query or header.
func text(value string) string {
	var s string
	if json.Unmarshal([]byte(value), &s) == nil {
		return s
	}
	return value
}

// request is a valid call of the operation with one value in it replaced.
type request struct{ method, path, body, header, value string }

func (f *fixture) valid(op *huma.Operation, location, name, value string) request {
	r := request{method: op.Method, path: op.Path, header: "Idempotency-Key", value: "k"}
	query := url.Values{}
	for _, p := range op.Parameters {
		good := map[string]string{"project": "1", "iid": "7", "run_id": "m1", "id": "1-aaaaaaaaaaaaaaaa"}[p.Name]
		if p.In == location && p.Name == name {
			good = text(value)
		}
		switch p.In {
		case "path":
			r.path = strings.ReplaceAll(r.path, "{"+p.Name+"}", url.PathEscape(good))
		case "query":
			if location == "query" && p.Name == name {
				query.Set(p.Name, good)
			} else if p.Name == "q" && name != "similar_to" {
				query.Set("q", "words")
			}
		case "header":
			if location == "header" && p.Name == name {
				r.header, r.value = p.Name, good
			}
		}
	}
	if len(query) > 0 {
		r.path += "?" + query.Encode()
	}
	if op.RequestBody != nil {
		fields := map[string]json.RawMessage{"project_id": json.RawMessage("1"), "issues": json.RawMessage("[7]")}
		switch r.path {
		case "/v1/hides", "/v1/backfills", "/v1/reconciles":
			fields = map[string]json.RawMessage{"project": json.RawMessage(`"1"`)}
		}
		if location == "body" {
			if name == "project" {
				delete(fields, "project_id")
			}
			fields[name] = json.RawMessage(value)
		}
		raw, err := json.Marshal(fields)
		if err != nil {
			f.Fatal(err)
		}
		r.body = string(raw)
	}
	return r
}

// The fields are those of the API's own description: a new one is among them.
func TestEveryFieldIsCheckedAndItsValueNamedAndNothingIsWritten(t *testing.T) {
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, func(t *testing.T, f *fixture) {
		fields := 0
		check := func(op *huma.Operation, location, name string, s *huma.Schema) {
			fields++
			for _, value := range wrongValues(t, name, s) {
				r := f.valid(op, location, name, value)
				p := problemIn(t, call(f.handler, r.method, r.path, r.body, r.header, r.value), http.StatusUnprocessableEntity)
				named := slices.ContainsFunc(p.Errors, func(e problem.InvalidValue) bool {
					return strings.HasPrefix(e.Location, location+"."+name) && e.Value != "" && strings.Contains(p.Detail, e.String())
				})
				if !named || p.Code != surgical.CodeInvalidRequest || p.Action != surgical.ActionFixRequest || p.Retryable {
					t.Errorf("%s, %s.%s is %.60s: %+v", op.OperationID, location, name, value, p)
				}
			}
		}
		for _, item := range description.Paths {
			for _, op := range api.Operations(item) {
				for _, p := range op.Parameters {
					check(op, p.In, p.Name, p.Schema)
				}
				if op.RequestBody != nil {
					body := description.Components.Schemas.SchemaFromRef(op.RequestBody.Content["application/json"].Schema.Ref)
					for name, s := range body.Properties {
						check(op, "body", name, s)
					}
				}
			}
		}
		if fields < 30 {
			t.Errorf("only %d fields were checked", fields)
		}
		if f.items(f.Tables.SyncRuns) != 0 || len(f.queue.take()) != 0 || len(f.GitLab.Requests()) != 0 {
			t.Error("something was written, sent or fetched")
		}
	})
}
