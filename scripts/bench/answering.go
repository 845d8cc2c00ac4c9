package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	awsevents "github.com/aws/aws-lambda-go/events"

	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/devstack"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// reader is the function whose first answer is measured.
const reader = "api"

// readable stores a copy of an issue in a local DynamoDB, and lets the environment of the
// reader point to it. The event is a request to read it.
func readable(ctx context.Context, environments map[string][]string) (event []byte, stop func(), err error) {
	dir, err := os.MkdirTemp("", "lorehook-bench-")
	if err != nil {
		return nil, nil, err
	}
	engine, err := devstack.Ministack(ctx, devstack.Options{Dir: dir})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, nil, err
	}
	stop = func() {
		_ = engine.Stop() // it ends with this process in any case
		_ = os.RemoveAll(dir)
	}
	ref := fakegitlab.IssueRef(7)
	err = cloud.Run(ctx, func(t cloud.TB) {
		db := devstack.DynamoDB(engine.URL)
		names, err := devstack.CreateTables(t.Context(), db, prefix)
		if err != nil {
			t.Fatal(err)
		}
		cloud.NewWorld(t, db, names).Webhook(ref)
	})
	if err != nil {
		stop()
		return nil, nil, err
	}
	reads := append(environments[reader], "AWS_ENDPOINT_URL="+engine.URL, "AWS_REGION="+devstack.Region, "LOREHOOK_PROJECTS=*")
	for _, table := range tables.All() {
		reads = append(reads, table.Env+"="+prefix+table.Name)
	}
	environments[reader] = reads
	path := fmt.Sprintf("/v1/projects/%d/issues/%d", ref.ProjectID, ref.IID)
	event, err = json.Marshal(awsevents.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: path, Headers: map[string]string{"accept": "application/json"},
		RequestContext: awsevents.APIGatewayV2HTTPRequestContext{
			RequestID: "request-1", DomainName: "api.example.com",
			HTTP: awsevents.APIGatewayV2HTTPRequestContextHTTPDescription{Method: http.MethodGet, Path: path},
		},
	})
	if err != nil {
		stop()
		return nil, nil, err
	}
	return event, stop, nil
}
