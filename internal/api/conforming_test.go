package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gitlab.com/lorehook/lorehook/internal/api"
)

// conforming checks every response in every test against the API's own
// description: an operation's status, type and body must be documented there,
// and a response that is not from an operation must be a problem.
func conforming(t *testing.T, handler http.Handler) http.Handler {
	t.Helper()
	document := descriptionOf(t)
	closeValues(document)
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	var compiling sync.Mutex // a compiler serves one goroutine at a time
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, r)
		compiling.Lock()
		differences := unlike(compiler, document, r, unpacked(t, recorded))
		compiling.Unlock()
		for _, wrong := range differences {
			t.Errorf("%s %s answered %d: %s:\n%.2000s", r.Method, r.URL, recorded.Code, wrong, recorded.Body)
		}
		for name, values := range recorded.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	})
}

// closeValues lets only the values conform that this version knows.
func closeValues(document any) {
	switch v := document.(type) {
	case map[string]any:
		if known := v[api.KnownValues]; known != nil {
			v["enum"] = known
		}
		for _, inner := range v {
			closeValues(inner)
		}
	case []any:
		for _, inner := range v {
			closeValues(inner)
		}
	}
}

// unpacked is the response as a client sees it that accepts gzip.
func unpacked(t *testing.T, response *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	t.Helper()
	if response.Header().Get("Content-Encoding") != "gzip" {
		return response
	}
	plain := *response
	packed, err := gzip.NewReader(bytes.NewReader(response.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	plain.Body = &bytes.Buffer{}
	if _, err := plain.Body.ReadFrom(packed); err != nil {
		t.Fatal(err)
	}
	return &plain
}

// descriptionOf is the API's description as JSON values.
func descriptionOf(t *testing.T) any {
	t.Helper()
	description, err := api.Description()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(description)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// unlike reports how a response differs from the description.
func unlike(compiler *jsonschema.Compiler, document any, r *http.Request, w *httptest.ResponseRecorder) []string {
	media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	at := "/components/schemas/Problem"
	if pattern := patternOf(document, r); pattern != "" {
		answers := pointer("paths", pattern, strings.ToLower(r.Method), "responses")
		answer := answers + pointer(strconv.Itoa(w.Code))
		documented, ok := value(document, answer).(map[string]any)
		if !ok && w.Code == http.StatusOK {
			answer = answers + pointer(api.OtherSuccess)
			documented, ok = value(document, answer).(map[string]any)
		}
		if !ok {
			return []string{"the status is not documented"}
		}
		if w.Code == http.StatusNotModified {
			if w.Body.Len() > 0 {
				return []string{"a 304 has a body"}
			}
			return nil
		}
		if value(documented, pointer("content", media)) != nil && media == "text/markdown" {
			return nil
		}
		if value(documented, pointer("content", media)) == nil {
			return []string{"the type " + media + " is not documented"}
		}
		headers, _ := documented["headers"].(map[string]any)
		for _, name := range []string{"Location", "Retry-After"} {
			if _, ok := headers[name]; ok != (w.Header().Get(name) != "") {
				return []string{"the header " + name + " is documented or sent, but not both"}
			}
		}
		at = answer + pointer("content", media, "schema")
	}
	schema, err := compiler.Compile("openapi.json#" + at)
	if err != nil {
		return []string{err.Error()}
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err == nil {
		err = schema.Validate(body)
	}
	if err != nil {
		return []string{err.Error()}
	}
	return nil
}

// patternOf is the path of the description that takes the request; empty if
// none does.
func patternOf(document any, r *http.Request) string {
	got := strings.Split(r.URL.EscapedPath(), "/")
	paths, _ := value(document, "/paths").(map[string]any)
	for path, item := range paths {
		want := strings.Split(path, "/")
		matches := len(got) == len(want) && value(item, pointer(strings.ToLower(r.Method))) != nil
		for i := range want {
			matches = matches && (got[i] == want[i] || strings.HasPrefix(want[i], "{") && got[i] != "")
		}
		if matches {
			return path
		}
	}
	return ""
}

// pointer encodes a JSON pointer for a URL.
func pointer(tokens ...string) string {
	var p strings.Builder
	for _, token := range tokens {
		p.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(token))
	}
	return p.String()
}

// value follows a pointer; nil if it leads nowhere.
func value(document any, pointer string) any {
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		object, _ := document.(map[string]any)
		document = object[strings.NewReplacer("~1", "/", "~0", "~", "%7B", "{", "%7D", "}").Replace(token)]
	}
	return document
}
