package awsapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// callJSON calls an operation of a service that speaks AWS's JSON protocol.
func callJSON[In, Out any](ctx context.Context, c *client, name string, in *In) (*Out, error) {
	return call[In, Out](ctx, c, name, in, func(in *In) operation {
		return operation{
			write: func(req *smithyhttp.Request) error {
				body, err := encoded(in)
				if err != nil {
					return err
				}
				req.Header.Set("X-Amz-Target", c.service.target+"."+name)
				req.Header.Set("Content-Type", "application/x-amz-json-"+c.service.version)
				if c.service.query {
					req.Header.Set("X-Amzn-Query-Mode", "true")
				}
				return post(req, "", body)
			},
			read: func(answer *smithyhttp.Response) (any, error) {
				body, err := succeeded(c.service, answer)
				if err != nil {
					return nil, err
				}
				out := new(Out)
				if len(body) == 0 {
					return out, nil
				}
				if err := json.Unmarshal(body, out); err != nil {
					return nil, &smithy.DeserializationError{Err: err}
				}
				return out, nil
			},
		}
	})
}

// encoded returns a value as JSON, without what would only make it safe within HTML: a text
// that consists of tags would take six times its bytes.
func encoded(value any) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), err
}

// post makes req a request with the body to the path, which begins with a slash, below the
// endpoint's; "" is the endpoint itself.
func post(req *smithyhttp.Request, path string, body []byte) error {
	req.Method = http.MethodPost
	if req.URL.Path == "" {
		req.URL.Path = "/" // which is signed
	}
	if path != "" {
		req.URL = req.URL.JoinPath(path)
	}
	with, err := req.SetStream(bytes.NewReader(body))
	if err != nil {
		return err
	}
	*req = *with
	return nil
}

// succeeded returns the body of an answer, or the failure that it describes.
func succeeded(s service, answer *smithyhttp.Response) (body []byte, err error) {
	body, err = io.ReadAll(answer.Body)
	if err != nil {
		return nil, &smithy.DeserializationError{Err: err}
	}
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return body, nil
	}
	return nil, failure(s, answer, body)
}

// failure returns the failure that an answer of AWS's JSON protocols describes.
func failure(s service, answer *smithyhttp.Response, body []byte) error {
	var said struct {
		Type    string `json:"__type"`
		Code    any    `json:"code"`
		Message string `json:"message"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &said); err != nil {
			return &smithy.DeserializationError{Err: fmt.Errorf("a failure with status %d: %w", answer.StatusCode, err)}
		}
	}
	code, _ := said.Code.(string)
	failed := &smithy.GenericAPIError{Code: plainCode(cmp.Or(answer.Header.Get("X-Amzn-ErrorType"), said.Type, code, "UnknownError")), Message: cmp.Or(said.Message, "UnknownError")}
	if !s.query {
		return failed
	}
	before, fault, _ := strings.Cut(answer.Header.Get("X-Amzn-Query-Error"), ";")
	if before != "" {
		failed.Code = before
	}
	switch fault {
	case "Sender":
		failed.Fault = smithy.FaultClient
	case "Receiver":
		failed.Fault = smithy.FaultServer
	}
	return failed
}

// plainCode returns a failure's code without namespace and URL:
// ThrottlingException of com.amazonaws#ThrottlingException:http://….
func plainCode(code string) string {
	code, _, _ = strings.Cut(code, ":")
	return code[strings.LastIndex(code, "#")+1:]
}
