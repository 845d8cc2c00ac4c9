package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
)

// Gateway serves the events of an HTTP API with the handler.
func Gateway(handler http.Handler) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	adapter := httpadapter.NewV2(handler)
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		event.RawPath = pathOf(event.RawPath)
		return adapter.ProxyWithContext(ctx, event)
	}
}

// pathOf encodes a path that the gateway decoded, where the adapter would fail
// at it (and the gateway answer 500), or take a part of it for the query.
func pathOf(raw string) string {
	if _, err := url.ParseRequestURI(raw); err == nil && !strings.ContainsAny(raw, "?#") {
		return raw
	}
	return (&url.URL{Path: raw}).EscapedPath()
}
