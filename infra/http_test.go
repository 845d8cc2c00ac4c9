package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// route is who may call it, and what answers.
type route struct{ Authorization, Function string }

// Nobody unverified gets in: /v1 is signed with IAM; the webhook function
// verifies its callers itself; what else is open shows no data.
func TestTheManualAPIIsSignedOnEveryRealAccount(t *testing.T) {
	open := map[string]route{
		"ANY /v1/{proxy+}":        {"AWS_IAM", "ApiFunction.Arn"},
		"POST /webhooks/gitlab":   {"NONE", "WebhookFunction.Arn"},
		"POST /webhooks/{proxy+}": {"NONE", "WebhookFunction.Arn"},
		"GET /healthz":            {"NONE", "ApiFunction.Arn"},
		"GET /openapi.json":       {"NONE", "ApiFunction.Arn"},
	}
	for name, c := range map[string]struct {
		got  stackTemplate
		want map[string]route
	}{
		"any account":     {onAWS(t), open},
		"an account":      {onOpenAI(t), open},
		"the local stack": {onLocal(t), with(open, map[string]route{"ANY /v1/{proxy+}": {"NONE", "ApiFunction.Arn"}})},
	} {
		if diff := cmp.Diff(c.want, routes(t, c.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func routes(t *testing.T, s stackTemplate) map[string]route {
	t.Helper()
	integrations := s.ofType("AWS::ApiGatewayV2::Integration")
	found := map[string]route{}
	for _, r := range s.ofType("AWS::ApiGatewayV2::Route") {
		integration := integrations[strings.TrimPrefix(r["Target"].(string), "integrations/")]
		// Version 2.0 is what the functions decode.
		if integration["PayloadFormatVersion"] != "2.0" || integration["IntegrationType"] != "AWS_PROXY" {
			t.Errorf("%v leads to %v", r["RouteKey"], integration)
		}
		found[r["RouteKey"].(string)] = route{r["AuthorizationType"].(string), integration["IntegrationUri"].(string)}
	}
	return found
}

func TestTheAPIHasOneStageThatIsThrottledAndLogged(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		stages := s.ofType("AWS::ApiGatewayV2::Stage")
		stage := stages["DefaultStage"]
		if len(stages) != 1 || stage["StageName"] != "$default" || stage["AutoDeploy"] != true {
			t.Fatalf("stages: %v", stages)
		}
		want := map[string]any{"DetailedMetricsEnabled": false, "ThrottlingRateLimit": 300.0, "ThrottlingBurstLimit": 600.0}
		if diff := cmp.Diff(want, stage["DefaultRouteSettings"]); diff != "" {
			t.Errorf("throttling (-want +got):\n%s", diff)
		}
		if stage["RouteSettings"] != nil {
			t.Errorf("routes with settings of their own: %v", stage["RouteSettings"])
		}
		// gitlab.com sends up to 13,000 a minute for one namespace.
		if requestsPerSecond*60 < 13_000 {
			t.Errorf("%d requests a second refuse webhooks that GitLab may send", requestsPerSecond)
		}
	})
}

// No body, header, query or path: they carry tokens, texts and names.
func TestTheAccessLogNamesTheRequestAndNothingInIt(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		settings := s.ofType("AWS::ApiGatewayV2::Stage")["DefaultStage"]["AccessLogSettings"].(map[string]any)
		if settings["DestinationArn"] != "AccessLogs.Arn" {
			t.Errorf("the access log goes to %v", settings["DestinationArn"])
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(settings["Format"].(string)), &got); err != nil {
			t.Fatalf("a line is no JSON: %v", err)
		}
		want := map[string]string{
			"requestId": "$context.requestId", "requestTime": "$context.requestTime", "ip": "$context.identity.sourceIp",
			"routeKey": "$context.routeKey", "status": "$context.status", "responseLength": "$context.responseLength",
			"latency": "$context.responseLatency", "error": "$context.error.message", "integrationError": "$context.integrationErrorMessage",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("access log (-want +got):\n%s", diff)
		}
	})
}
