package main

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// Throttling of each route: gitlab.com sends up to 13,000 webhooks a minute
// for a namespace, some 217 a second.
const (
	requestsPerSecond = 300
	requestsBurst     = 600
)

// webhookPaths is the route of other spellings of [delivery.Path], such as one with a
// slash at the end, so that the function can accept them, or reject them with a
// reason.
const webhookPaths = "/webhooks/{proxy+}"

// httpAPI is the HTTP API's address, without a slash at its end, its id, and its
// access log.
type httpAPI struct {
	url, id *string
	logs    awslogs.LogGroup
}

// newHTTPAPI makes the one HTTP API of webhooks and operators. The webhook
// function verifies its callers itself; /v1 is signed with IAM.
func (st *stack) newHTTPAPI() httpAPI {
	api := awsapigatewayv2.NewHttpApi(st.Stack, jsii.String("HttpApi"), &awsapigatewayv2.HttpApiProps{
		ApiName:            jsii.String(st.settings.StackName),
		Description:        jsii.String("Lorehook: webhooks and the manual API"),
		CreateDefaultStage: jsii.Bool(false),
	})
	logs := st.newStage(api)

	webhook := awsapigatewayv2integrations.NewHttpLambdaIntegration(jsii.String("WebhookIntegration"), st.functions.webhook.Function, nil)
	manual := awsapigatewayv2integrations.NewHttpLambdaIntegration(jsii.String("ApiIntegration"), st.functions.api.Function, nil)
	var signed awsapigatewayv2.IHttpRouteAuthorizer = awsapigatewayv2authorizers.NewHttpIamAuthorizer()
	if st.settings.AllowUnsignedAPI {
		signed = nil
	}
	st.route(api, awsapigatewayv2.HttpMethod_ANY, "/v1/{proxy+}", manual, signed,
		"Only the local stack can be synthesized without signatures on /v1.")
	for _, path := range []string{delivery.Path, webhookPaths} {
		st.route(api, awsapigatewayv2.HttpMethod_POST, path, webhook, nil,
			"GitLab cannot sign with IAM: the function verifies its signature or token.")
	}
	st.route(api, awsapigatewayv2.HttpMethod_GET, "/healthz", manual, nil,
		"Health checks carry no credentials; the answer holds no data.")
	st.route(api, awsapigatewayv2.HttpMethod_GET, "/openapi.json", manual, nil,
		"The API's description is public.")
	return httpAPI{url: api.ApiEndpoint(), id: api.ApiId(), logs: logs}
}

// route adds a route. open says why it may have no authorizer, if it has none.
func (st *stack) route(api awsapigatewayv2.HttpApi, method awsapigatewayv2.HttpMethod, path string,
	target awsapigatewayv2.HttpRouteIntegration, authorizer awsapigatewayv2.IHttpRouteAuthorizer, open string) {
	routes := api.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
		Path: &path, Methods: &[]awsapigatewayv2.HttpMethod{method}, Integration: target, Authorizer: authorizer,
	})
	if authorizer != nil {
		return
	}
	for _, r := range *routes {
		st.suppress(r, "AwsSolutions-APIG4", open)
	}
}

// newStage makes the $default stage: throttled, with access logs, which it
// returns.
func (st *stack) newStage(api awsapigatewayv2.HttpApi) awslogs.LogGroup {
	logs := st.vendedLogGroup("AccessLogs", "apigateway", "access")
	st.countAnswers(logs)
	stage := awsapigatewayv2.NewHttpStage(st.Stack, jsii.String("DefaultStage"), &awsapigatewayv2.HttpStageProps{
		HttpApi:                api,
		StageName:              jsii.String("$default"),
		AutoDeploy:             jsii.Bool(true),
		DetailedMetricsEnabled: jsii.Bool(false), // AWS charges for metrics by route, and nothing reads them
		Throttle:               &awsapigatewayv2.ThrottleSettings{RateLimit: jsii.Number(requestsPerSecond), BurstLimit: jsii.Number(requestsBurst)},
	})
	stage.Node().DefaultChild().(awsapigatewayv2.CfnStage).SetAccessLogSettings(&awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
		DestinationArn: logs.LogGroupArn(),
		Format:         jsii.String(accessLogFormat()),
	})
	return logs
}

// countAnswers counts what GitLab takes for a failure: every answer to a
// webhook but 2xx. The access log knows them all, also those that the gateway
// gives by itself, when it throttles or the function crashed.
func (st *stack) countAnswers(logs awslogs.LogGroup) {
	st.countLines("AnswersOtherThan2xx", logs, `{ ($.routeKey = "POST /webhooks/*") && ($.status != "2*") }`, metrics.AnswersOtherThan2xx())
}

// accessLogFormat is one JSON line per request. It omits the path and the query,
// which would name entities, and all headers and bodies.
func accessLogFormat() string {
	fields := map[string]string{
		"requestId":        "$context.requestId",
		"requestTime":      "$context.requestTime",
		"ip":               "$context.identity.sourceIp",
		"routeKey":         "$context.routeKey",
		"status":           "$context.status",
		"responseLength":   "$context.responseLength",
		"latency":          "$context.responseLatency",
		"integrationError": "$context.integrationErrorMessage",
		"error":            "$context.error.message",
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // a map of strings always encodes
	}
	return string(text)
}
