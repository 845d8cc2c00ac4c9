package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// refuseAmbiguous rejects a query that cannot be decoded, one in which a
// parameter is repeated (one of its values would be silently dropped), and one
// in which a parameter has no value (it would count as absent).
func refuseAmbiguous(api huma.API, ctx huma.Context, next func(huma.Context)) {
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
		_ = huma.WriteErr(api, ctx, http.StatusUnprocessableEntity, "validation failed", errs...) // a client that has disconnected needs no response
		return
	}
	next(ctx)
}
