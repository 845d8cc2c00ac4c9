package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/workflow"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/devstack"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/memory"
)

// readInput is what an API in a process of its own needs.
type readInput struct {
	Endpoint string
	Tables   config.Tables
	Now      time.Time
}

// readEntity reads the first pages, at most two, of an issue, of the list of its documents
// and of their texts, as Lambda invokes the API.
func readEntity(ctx context.Context, raw json.RawMessage) error {
	var in readInput
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	log, clock := slog.New(slog.NewTextHandler(io.Discard, nil)), func() time.Time { return in.Now }
	f := cloud.Environment{DB: devstack.DynamoDB(in.Endpoint), Tables: in.Tables, Clock: clock, Log: log}.Functions()
	handler, err := api.New(api.Options{
		Runs: f.Ledger, Projects: f.Ledger, Passes: f.Ledger, Content: f.Content.ForReaders(f.Ledger.ProjectHiddenAt, surgical.Include), Eraser: f.Eraser,
		Allows: func(int64) bool { return true }, Clock: clock, Log: log, RequestID: func(*http.Request) string { return "request-1" },
	})
	if err != nil {
		return err
	}
	serve := gateway.Adapt(handler)
	for _, target := range []string{"/v1/projects/1/issues/7?limit=100", "/v1/projects/1/issues/7?include=documents&limit=100", "/v1/projects/1/issues/7/documents?limit=100"} {
		path, first, _ := strings.Cut(target, "?")
		query := first
		for range 2 {
			answer, err := serve(ctx, events.APIGatewayV2HTTPRequest{RawPath: path, RawQueryString: query, RequestContext: events.APIGatewayV2HTTPRequestContext{
				HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: http.MethodGet},
			}})
			if err != nil {
				return err
			}
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("%s?%s: status %d: %.300s", path, query, answer.StatusCode, answer.Body)
			}
			if _, err := json.Marshal(answer); err != nil {
				return err
			}
			var page struct {
				Next string `json:"next_cursor"`
			}
			if err := json.Unmarshal([]byte(answer.Body), &page); err != nil {
				return err
			}
			if page.Next == "" {
				break
			}
			query = first + "&cursor=" + page.Next
		}
	}
	return nil
}

// The API runs in a process of its own, on a real engine, and stays within 70% of its
// memory.
func TestGetEntity_StaysWithinItsMemoryAtEveryLimit(t *testing.T) {
	for _, entity := range memory.Entities() {
		t.Run(entity.Name, func(t *testing.T) {
			engines.RunOnDynamoDBLocal(t, func(t *testing.T, e engines.Engine) {
				w := cloud.NewWorld(t, e.DynamoDB, e.Tables)
				run := entity.Commit(w, fakegitlab.IssueRef(7))
				if _, err := w.Docs.Handle(t.Context(), workflow.Input{RunID: run, Generation: 1}); err != nil {
					t.Fatal(err)
				}
				memory.WithinAt(t, "api", entity, surgical.APIMemory, readInput{*e.AWS.BaseEndpoint, e.Tables, w.Clock.Now()})
			})
		})
	}
}
