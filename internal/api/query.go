package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// refuseAmbiguous refuses a query in which a parameter is named twice, for one
// of its values would be dropped in silence, or has no value, which would count
// as its absence, and one that cannot be decoded.
func (s *server) refuseAmbiguous(ctx huma.Context, next func(huma.Context)) {
	u := ctx.URL()
	query, err := url.ParseQuery(u.RawQuery)
	var errs []error
	if err != nil {
		errs = append(errs, &huma.ErrorDetail{Location: "query", Message: err.Error(), Value: u.RawQuery})
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		switch {
		case len(values) > 1:
			errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: "named twice", Value: values})
		case values[0] == "":
			errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: "expected a value", Value: values[0]})
		}
	}
	if len(errs) > 0 {
		_ = huma.WriteErr(s.api, ctx, http.StatusUnprocessableEntity, "validation failed", errs...) // a client that is gone needs no answer
		return
	}
	next(ctx)
}
