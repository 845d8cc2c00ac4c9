package webhook

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// retryAfterSeconds is what a 503 asks for.
const retryAfterSeconds = 10

type queuedBody struct {
	Status    string            `json:"status"`
	RunID     string            `json:"run_id"`
	ProjectID int64             `json:"project_id"`
	Targets   []surgical.Target `json:"targets"`
}

type ignoredBody struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
}

// problemBody is a problem as of RFC 9457; detail and message are the same
// text, for readers of either.
type problemBody struct {
	Type      string          `json:"type"`
	Title     string          `json:"title"`
	Status    int             `json:"status"`
	Detail    string          `json:"detail"`
	Code      surgical.Code   `json:"code"`
	Message   string          `json:"message"`
	Action    surgical.Action `json:"action"`
	Retryable bool            `json:"retryable"`
}

func problem(err error) events.APIGatewayV2HTTPResponse {
	e := surgical.AsError(err)
	status := statusOf(e.Code)
	resp := jsonAnswer(status, problemBody{
		Type: "urn:lorehook:error:" + string(e.Code), Title: http.StatusText(status), Status: status, Detail: e.Message,
		Code: e.Code, Message: e.Message, Action: e.Action, Retryable: e.Retryable,
	})
	resp.Headers["content-type"] = "application/problem+json"
	if status == http.StatusServiceUnavailable {
		resp.Headers["retry-after"] = strconv.Itoa(retryAfterSeconds)
	}
	return resp
}

func statusOf(code surgical.Code) int {
	switch code {
	case surgical.CodeInvalidRequest:
		return http.StatusBadRequest
	case surgical.CodeInvalidSignature:
		return http.StatusUnauthorized
	case surgical.CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	default:
		return http.StatusServiceUnavailable
	}
}

func jsonAnswer(status int, body any) events.APIGatewayV2HTTPResponse {
	raw, err := json.Marshal(body)
	if err != nil { // none of the bodies can fail
		status, raw = http.StatusServiceUnavailable, []byte(`{"code":"internal"}`)
	}
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"content-type": "application/json", "cache-control": "no-store"},
		Body:       string(raw),
	}
}
