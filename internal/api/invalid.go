package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/problem"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// asProblem turns an error that huma itself found into a problem, and records
// the code for the request's log line.
func asProblem(ctx huma.Context, _ string, v any) (any, error) {
	if m, ok := v.(*huma.ErrorModel); ok {
		v = problemOfModel(m)
	}
	if p, ok := v.(*problem.Problem); ok {
		note(ctx.Context(), p)
	}
	return v, nil
}

func problemOfModel(m *huma.ErrorModel) *problem.Problem {
	code := surgical.CodeInvalidRequest
	switch {
	case m.Status == http.StatusRequestEntityTooLarge:
		code = surgical.CodePayloadTooLarge
	case m.Status >= http.StatusInternalServerError:
		return problem.WithStatus(m.Status, surgical.AsError(m))
	}
	details := make([]string, 0, len(m.Errors))
	var values []problem.InvalidValue
	for _, e := range m.Errors {
		value := problem.InvalidValue{Location: e.Location, Message: plainNumbers(e.Message), Value: shown(e)}
		values = append(values, value)
		details = append(details, value.String())
	}
	detail := m.Detail
	if len(details) > 0 {
		detail = strings.Join(details, "; ")
	}
	p := problem.WithStatus(m.Status, surgical.NewError(code, detail))
	p.Errors = values
	return p
}

// plainNumbers writes numbers in scientific notation out in full: huma prints
// large bounds that way.
func plainNumbers(message string) string {
	return regexp.MustCompile(`\d(\.\d+)?e\+\d+`).ReplaceAllStringFunc(message, func(number string) string {
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return number
		}
		return strconv.FormatFloat(value, 'f', -1, 64)
	})
}

// maxShown is how much of an offending value is quoted.
const maxShown = 100

// shown quotes a value, or the beginning of it. A whole body or object would add
// nothing to its location.
func shown(e *huma.ErrorDetail) string {
	if e.Value == nil && strings.HasPrefix(e.Location, "body.") {
		return "null"
	}
	if e.Value == nil || e.Location == "body" || reflect.ValueOf(e.Value).Kind() == reflect.Map {
		return ""
	}
	raw, err := json.Marshal(e.Value)
	if err != nil {
		return ""
	}
	if len(raw) <= maxShown {
		return string(raw)
	}
	return strings.ToValidUTF8(string(raw[:maxShown]), "") + "…"
}

// invalid is the error for one invalid value, found by the API itself.
func invalid(location string, value any, message string) error {
	return problemOfModel(&huma.ErrorModel{
		Status: http.StatusUnprocessableEntity, Errors: []*huma.ErrorDetail{{Location: location, Message: message, Value: value}},
	})
}
