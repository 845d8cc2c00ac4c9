package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// functionIDs are the functions by their ids in the stack.
func functionIDs() []string {
	return []string{"Abort", "Api", "Builder", "Crawler", "Docs", "Embed", "Feed", "Finish", "Indexer", "Search", "Sweeper", "Webhook", "Widget", "Worker"}
}

// size is what a function may take: MB and seconds.
type size struct{ Memory, Timeout float64 }

func TestFunctionsHaveTheirMemoryAndTime(t *testing.T) {
	want := map[string]size{
		"Webhook": {256, 10}, "Worker": {surgical.WorkerMemory, 120}, "Docs": {surgical.StageMemory, 50}, "Embed": {surgical.StageMemory, 50},
		"Finish": {256, 8}, "Abort": {256, 8}, "Sweeper": {256, 60}, "Crawler": {512, 50}, "Feed": {256, 60}, "Api": {surgical.APIMemory, 29}, "Widget": {256, 15},
		"Indexer": {surgical.IndexerMemory, 900}, "Builder": {surgical.IndexMemory, 900}, "Search": {surgical.IndexMemory, 25},
	}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		got := map[string]size{}
		for name, f := range s.ofType("AWS::Lambda::Function") {
			memory, _ := f["MemorySize"].(float64)
			timeout, _ := f["Timeout"].(float64)
			got[strings.TrimSuffix(name, "Function")] = size{memory, timeout}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("functions (-want +got):\n%s", diff)
		}
	})
}

func TestFunctionsRunOnTheBareRuntimeTracedAndLogged(t *testing.T) {
	logging := map[string]map[string]any{"openai": {"SystemLogLevel": "WARN"}}
	architecture := map[string]string{"aws": "arm64", "local": "x86_64", "openai": "x86_64"}
	stackName := map[string]string{"aws": "lorehook", "local": "lorehook", "openai": "team-a"}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		_, variant, _ := strings.Cut(t.Name(), "/")
		for _, id := range functionIDs() {
			f := s.ofType("AWS::Lambda::Function")[id+"Function"]
			mode := "Active"
			if id == "Sweeper" || id == "Crawler" || id == "Indexer" || id == "Builder" {
				mode = "PassThrough" // they start all the time
			}
			want := map[string]any{
				"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": []any{architecture[variant]},
				"FunctionName":  stackName[variant] + "-" + strings.ToLower(id),
				"TracingConfig": map[string]any{"Mode": mode},
				// An application's level would leave the lines of metrics out.
				"LoggingConfig": with(map[string]any{"LogFormat": "JSON", "LogGroup": id + "Logs"}, logging[variant]),
				"Role":          id + "Role.Arn",
				// A reserve on webhook or worker would throttle the one, and starve
				// the mappings of the other.
				"ReservedConcurrentExecutions": nil,
				"VpcConfig":                    nil,
			}
			got := map[string]any{}
			for key := range want {
				got[key] = f[key]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", id, diff)
			}
		}
	})
}

func TestTracingCanBeSwitchedOff(t *testing.T) {
	s := inPrivate(t)
	for name, f := range s.ofType("AWS::Lambda::Function") {
		if f["TracingConfig"] != nil {
			t.Errorf("%s is traced: %v", name, f["TracingConfig"])
		}
	}
	if got := s.ofType("AWS::StepFunctions::StateMachine")["Workflow"]["TracingConfiguration"]; !cmp.Equal(got, map[string]any{"Enabled": false}) {
		t.Errorf("the workflow is traced: %v", got)
	}
}

func TestEachFunctionHearsWhatItNeedsAndNoMore(t *testing.T) {
	tableNames := map[string]string{}
	for _, schema := range tables.All() {
		tableNames[schema.Env] = pascal(schema.Name)
	}
	machine := map[string]string{"LOREHOOK_STATE_MACHINE_ARN": machineARN("lorehook")}
	requests := map[string]string{"LOREHOOK_REQUESTS_QUEUE_URL": "Requests"}
	hides := map[string]string{"LOREHOOK_HIDES_QUEUE_URL": "Hides"}
	bulk := map[string]string{"LOREHOOK_BULK_QUEUE_URL": "Bulk"}
	projects := map[string]string{"LOREHOOK_PROJECTS": "*"}
	gitlab := map[string]string{
		"GITLAB_BASE_URL": "https://gitlab.com", "LOREHOOK_GITLAB_TOKEN_SECRET_ID": "GitLabTokenSecret.Id", "LOREHOOK_GITLAB_REQUESTS_PER_SECOND": "4",
	}
	model := map[string]string{"LOREHOOK_EMBEDDER": "bedrock", "LOREHOOK_EMBEDDER_MODEL": "amazon.titan-embed-text-v2:0"}
	embedder := maps.Clone(model)
	embedder["LOREHOOK_EMBEDDER_CONCURRENCY"] = "2"
	index := map[string]string{"LOREHOOK_INDEX_BUCKET": "IndexBucket", "LOREHOOK_SEARCH_LANGUAGE": "en", "LOREHOOK_CONFIDENTIAL": "exclude"}
	want := map[string][]map[string]string{
		"Webhook": {requests, hides, projects, {"LOREHOOK_WEBHOOK_SECRET_ID": "WebhookSecret.Id"}},
		"Worker":  {tableNames, requests, hides, bulk, projects, machine, gitlab, model, {"LOREHOOK_DEAD_LETTER_QUEUE_URL": "DeadLetters"}},
		"Docs":    {tableNames, machine, embedder},
		"Embed":   {tableNames, machine, embedder},
		"Finish":  {tableNames},
		"Abort":   {tableNames},
		"Sweeper": {tableNames, requests, bulk, projects, machine},
		"Crawler": {tableNames, hides, bulk, projects, gitlab, {"LOREHOOK_CENSUS_DAYS": "7", "LOREHOOK_RECONCILE_MINUTES": "5", "LOREHOOK_PROJECT_HIDE_AFTER_HOURS": "24"}},
		"Feed":    {tableNames, {"LOREHOOK_INDEXER_FUNCTION": "lorehook-indexer"}},
		"Api":     {tableNames, requests, hides, bulk, projects, {"LOREHOOK_DEAD_LETTER_QUEUE_URL": "DeadLetters", "LOREHOOK_FEED_FAILURES_QUEUE_URL": "FeedFailures", "LOREHOOK_RECONCILE_MINUTES": "5", "LOREHOOK_CRAWLER_FUNCTION": "lorehook-crawler", "LOREHOOK_SEARCH_FUNCTION": "lorehook-search", "LOREHOOK_INDEXER_FUNCTION": "lorehook-indexer", "LOREHOOK_CONFIDENTIAL": "exclude"}},
		"Indexer": {tableNames, embedder, index, {"LOREHOOK_BUILDER_FUNCTION": "lorehook-builder"}},
		"Builder": {tableNames, embedder, index},
		"Search":  {tableNames, embedder, index},
		"Widget":  {tableNames, projects},
	}
	s := onAWS(t)
	for _, id := range functionIDs() {
		all := map[string]string{"LOREHOOK_LOG_LEVEL": "info", "LOREHOOK_METRICS_NAMESPACE": "lorehook"}
		for _, part := range want[id] {
			maps.Copy(all, part)
		}
		if diff := cmp.Diff(all, environment(s, id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}

func TestContextValuesReachTheFunctions(t *testing.T) {
	s := onOpenAI(t)
	for _, id := range functionIDs() {
		if got := environment(s, id); got["LOREHOOK_LOG_LEVEL"] != "warn" || got["LOREHOOK_METRICS_NAMESPACE"] != "team-a" {
			t.Errorf("%s logs from %q on, and tells metrics under %q", id, got["LOREHOOK_LOG_LEVEL"], got["LOREHOOK_METRICS_NAMESPACE"])
		}
	}
	for id, want := range map[string]map[string]string{
		"Webhook": {"LOREHOOK_PROJECTS": "7, 8"},
		"Api":     {"LOREHOOK_PROJECTS": "7, 8", "LOREHOOK_RECONCILE_MINUTES": "60"},
		"Sweeper": {"LOREHOOK_PROJECTS": "7, 8"},
		"Widget":  {"LOREHOOK_PROJECTS": "7, 8"},
		"Worker":  {"LOREHOOK_PROJECTS": "7, 8", "GITLAB_BASE_URL": "https://gitlab.example.com", "LOREHOOK_GITLAB_REQUESTS_PER_SECOND": "3"},
		"Crawler": {"LOREHOOK_PROJECTS": "7, 8", "GITLAB_BASE_URL": "https://gitlab.example.com", "LOREHOOK_GITLAB_REQUESTS_PER_SECOND": "3", "LOREHOOK_RECONCILE_MINUTES": "60", "LOREHOOK_CENSUS_DAYS": "30", "LOREHOOK_PROJECT_HIDE_AFTER_HOURS": "48"},
		"Embed": {
			"LOREHOOK_EMBEDDER": "openai", "LOREHOOK_EMBEDDER_URL": "https://embeddings.example.com/v1",
			"LOREHOOK_EMBEDDER_MODEL": "nomic-embed-text", "LOREHOOK_EMBEDDER_API_KEY_SECRET_ID": "EmbedderApiKeySecret.Id",
		},
		"Search":  {"LOREHOOK_OPENSEARCH_ENDPOINT": "https://search-our-domain-abcdefghij0123456789klmnop.eu-west-1.es.amazonaws.com", "LOREHOOK_OPENSEARCH_INDEX": "team-a-search"},
		"Builder": {"LOREHOOK_OPENSEARCH_ENDPOINT": "https://search-our-domain-abcdefghij0123456789klmnop.eu-west-1.es.amazonaws.com", "LOREHOOK_OPENSEARCH_INDEX": "team-a-search"},
		"Indexer": {"LOREHOOK_OPENSEARCH_ENDPOINT": "https://search-our-domain-abcdefghij0123456789klmnop.eu-west-1.es.amazonaws.com", "LOREHOOK_OPENSEARCH_INDEX": "team-a-search"},
	} {
		got := environment(s, id)
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %q, want %q", id, key, got[key], value)
			}
		}
	}
}

// Each function, started with its environment, accepts it and reads all of it.
func TestEachFunctionAcceptsItsEnvironment(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		for id, accept := range map[string]func(*testing.T, map[string]string){
			"Webhook": accepts[config.Webhook], "Worker": accepts[config.Worker], "Docs": accepts[config.Stage],
			"Embed": accepts[config.Stage], "Finish": accepts[config.Workflow], "Abort": accepts[config.Workflow],
			"Sweeper": accepts[config.Sweeper], "Crawler": accepts[config.Crawler], "Api": accepts[config.API], "Widget": accepts[config.Widget],
			"Indexer": accepts[config.Indexer], "Builder": accepts[config.Search], "Search": accepts[config.Search],
		} {
			t.Run(id, func(t *testing.T) { accept(t, environment(s, id)) })
		}
		t.Run("the embedder", func(t *testing.T) {
			load[config.Stage](t, environment(s, "Embed"))
			c, err := config.Load[config.Stage]()
			if err != nil {
				t.Fatal(err)
			}
			deps := embedding.Deps{Bedrock: &bedrockruntime.Client{}, APIKey: func(context.Context) (string, error) { return "", nil }}
			if _, err := embedding.New(c.Embedder, deps); err != nil {
				t.Error(err)
			}
		})
	})
}

func accepts[T any](t *testing.T, variables map[string]string) {
	t.Helper()
	known := load[T](t, variables)
	if _, err := config.Load[T](); err != nil {
		t.Error(err)
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !slices.Contains(known, name) {
			t.Errorf("%s is set, but %T does not read it", name, *new(T))
		}
	}
}

// load sets the variables, and no other that T reads, and returns all that T reads.
func load[T any](t *testing.T, variables map[string]string) []string {
	t.Helper()
	fields, err := env.GetFieldParams(new(T))
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, f := range fields {
		known = append(known, f.Key)
		t.Setenv(f.Key, "") // restores the caller's own value in the end
		os.Unsetenv(f.Key)
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
	return known
}

// environment is a function's environment, its references resolved.
func environment(s stackTemplate, id string) map[string]string {
	found := map[string]string{}
	settings, _ := s.ofType("AWS::Lambda::Function")[id+"Function"]["Environment"].(map[string]any)
	variables, _ := settings["Variables"].(map[string]any)
	for name, value := range variables {
		found[name], _ = value.(string)
	}
	return found
}
