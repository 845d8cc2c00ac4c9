package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// given looks values up as the app would.
func given(values map[string]any) func(string) any {
	return func(name string) any { return values[name] }
}

func noEnvironment(string) string { return "" }

func TestDefaultsFitAnyAccount(t *testing.T) {
	got, err := readSettings(given(nil), noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		StackName: "lorehook", Architecture: "arm64", LambdaDir: ".build/lambda", GitLabBaseURL: "https://gitlab.com", Projects: "*",
		Embedder: "bedrock", EmbedderModel: titan, WorkerConcurrency: 4, GitLabRequestsPerSecond: 4, LogRetentionDays: 30,
		LogLevel: "info", Tracing: "active", RunbooksURL: runbooks,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestContextValuesAreTakenAsTextAndAsJSON(t *testing.T) {
	want := settings{
		Account: localAccount, Region: "us-east-1", StackName: "team-a", Architecture: "x86_64", LambdaDir: "/somewhere",
		GitLabBaseURL: "http://127.0.0.1:8929", Projects: "71480000", Embedder: "openai", EmbedderURL: "http://127.0.0.1:11434/v1",
		EmbedderModel: "nomic-embed-text", EmbedderAPIKey: true, AllowUnsignedAPI: true, WorkerConcurrency: 2, GitLabRequestsPerSecond: 1, LogRetentionDays: 7,
		LogLevel: "error", Tracing: "off", AlarmTopicARN: "arn:aws:sns:us-east-1:000000000000:alarms", RunbooksURL: "http://wiki.example.com",
	}
	text := map[string]any{
		"account": localAccount, "region": "us-east-1", "stackName": "team-a", "architecture": "x86_64", "lambdaDir": "/somewhere",
		"gitlabBaseUrl": "http://127.0.0.1:8929/", "projects": "71480000", "embedder": "openai", "embedderUrl": "http://127.0.0.1:11434/v1",
		"embedderModel": "nomic-embed-text", "embedderApiKey": "true", "allowUnsignedApi": "true", "workerConcurrency": "2",
		"gitlabRequestsPerSecond": "1", "logRetentionDays": "7", "logLevel": "error", "tracing": "off",
		"alarmTopicArn": "arn:aws:sns:us-east-1:000000000000:alarms", "runbooksUrl": "http://wiki.example.com/",
	}
	typed := with(text, map[string]any{
		"projects": 71480000.0, "embedderApiKey": true, "allowUnsignedApi": true, "workerConcurrency": 2.0, "gitlabRequestsPerSecond": 1.0, "logRetentionDays": 7.0,
	})
	for name, values := range map[string]map[string]any{"-c on the command line": text, "cdk.json": typed} {
		got, err := readSettings(given(values), noEnvironment)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheAccountIsTheContextsElseThatOfTheCredentialsElseAny(t *testing.T) {
	cli := map[string]string{"CDK_DEFAULT_ACCOUNT": "123456789012", "CDK_DEFAULT_REGION": "eu-central-1"}
	for name, c := range map[string]struct {
		context         map[string]any
		environment     map[string]string
		account, region string
	}{
		"context":             {map[string]any{"account": "210987654321", "region": "us-west-2"}, cli, "210987654321", "us-west-2"},
		"credentials":         {nil, cli, "123456789012", "eu-central-1"},
		"a region alone":      {nil, map[string]string{"CDK_DEFAULT_REGION": "eu-central-1"}, "", ""},
		"another region":      {map[string]any{"region": "us-west-2"}, cli, "123456789012", "us-west-2"},
		"neither one of both": {nil, nil, "", ""},
	} {
		got, err := readSettings(given(c.context), func(name string) string { return c.environment[name] })
		if err != nil || got.Account != c.account || got.Region != c.region {
			t.Errorf("%s: account %q, region %q, %v; want %q, %q", name, got.Account, got.Region, err, c.account, c.region)
		}
	}
}

// Each refusal says which value is wrong, what it was, and what it may be.
func TestBadContextValuesAreRefusedByName(t *testing.T) {
	openai := map[string]any{"embedder": "openai", "embedderUrl": "https://embeddings.example.com/v1", "embedderModel": "m"}
	for name, c := range map[string]struct {
		values map[string]any
		says   []string
	}{
		"unsigned on a real account": {map[string]any{"allowUnsignedApi": "true", "account": "123456789012", "region": "eu-central-1"}, []string{"allowUnsignedApi", `"123456789012"`, localAccount}},
		"unsigned on any account":    {map[string]any{"allowUnsignedApi": true}, []string{"allowUnsignedApi", `""`}},
		"unsigned, not yes or no":    {map[string]any{"allowUnsignedApi": "yes"}, []string{"allowUnsignedApi", `"yes"`, "true"}},
		"architecture":               {map[string]any{"architecture": "riscv"}, []string{"architecture", `"riscv"`, "arm64, x86_64"}},
		"URL without scheme":         {map[string]any{"gitlabBaseUrl": "gitlab.example.com"}, []string{"gitlabBaseUrl", `"gitlab.example.com"`, "https"}},
		"URL of another scheme":      {map[string]any{"gitlabBaseUrl": "ftp://gitlab.example.com"}, []string{"gitlabBaseUrl", "ftp:"}},
		"URL with a user":            {map[string]any{"gitlabBaseUrl": "https://user@gitlab.example.com"}, []string{"gitlabBaseUrl", "user"}},
		"URL with a query":           {map[string]any{"gitlabBaseUrl": "https://gitlab.example.com?a=b"}, []string{"gitlabBaseUrl", "query"}},
		"projects":                   {map[string]any{"projects": "group/project"}, []string{"projects", `"group/project"`, "ids"}},
		"a project below one":        {map[string]any{"projects": "1,0"}, []string{"projects", `"1,0"`}},
		"embedder":                   {map[string]any{"embedder": "word2vec"}, []string{"embedder", `"word2vec"`, "bedrock, openai, lexical"}},
		"openai without URL":         {map[string]any{"embedder": "openai", "embedderModel": "m"}, []string{"embedder=openai", "embedderUrl"}},
		"openai without model":       {map[string]any{"embedder": "openai", "embedderUrl": "https://embeddings.example.com/v1"}, []string{"embedder=openai", "embedderModel"}},
		"openai with a bad URL":      {with(openai, map[string]any{"embedderUrl": "localhost:11434"}), []string{"embedderUrl", `"localhost:11434"`}},
		"bedrock with a URL":         {map[string]any{"embedderUrl": "https://embeddings.example.com/v1"}, []string{"embedderUrl", `"bedrock"`}},
		"bedrock with a key":         {map[string]any{"embedderApiKey": "true"}, []string{"embedderApiKey", `"bedrock"`}},
		"bedrock's other models":     {map[string]any{"embedderModel": "cohere.embed-v4:0"}, []string{"embedderModel", `"cohere.embed-v4:0"`, titan}},
		"lexical with a model":       {map[string]any{"embedder": "lexical", "embedderModel": "m"}, []string{"embedderModel", `"m"`}},
		"one worker":                 {map[string]any{"workerConcurrency": "1"}, []string{"workerConcurrency", `"1"`, "from 2 to 1000"}},
		"too many workers":           {map[string]any{"workerConcurrency": 1001.0}, []string{"workerConcurrency", `"1001"`}},
		"workers in words":           {map[string]any{"workerConcurrency": "many"}, []string{"workerConcurrency", `"many"`}},
		"no requests":                {map[string]any{"gitlabRequestsPerSecond": "0"}, []string{"gitlabRequestsPerSecond", `"0"`, "from 1 to 1000"}},
		"log level":                  {map[string]any{"logLevel": "verbose"}, []string{"logLevel", `"verbose"`, "info, warn, error"}},
		"a share of traces":          {map[string]any{"tracing": "0.5"}, []string{"tracing", `"0.5"`, "active, off"}},
		"a topic by its name":        {map[string]any{"alarmTopicArn": "alarms"}, []string{"alarmTopicArn", `"alarms"`}},
		"a FIFO topic":               {map[string]any{"alarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms.fifo"}, []string{"alarmTopicArn", "alarms.fifo"}},
		"runbooks without scheme":    {map[string]any{"runbooksUrl": "wiki/runbooks"}, []string{"runbooksUrl", `"wiki/runbooks"`, "https"}},
		"log retention":              {map[string]any{"logRetentionDays": "31"}, []string{"logRetentionDays", `"31"`, "30"}},
		"stack name":                 {map[string]any{"stackName": "Lore Hook"}, []string{"stackName", `"Lore Hook"`}},
		"stack name too long":        {map[string]any{"stackName": strings.Repeat("a", 41)}, []string{"stackName"}},
		"account":                    {map[string]any{"account": "prod", "region": "eu-central-1"}, []string{"account", `"prod"`, "12 digits"}},
		"account without region":     {map[string]any{"account": "123456789012"}, []string{"account and region", `"123456789012"`, `""`}},
		"a list":                     {map[string]any{"projects": []any{1.0, 2.0}}, []string{"projects", "[1 2]"}},
	} {
		_, err := readSettings(given(c.values), noEnvironment)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, part := range c.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", name, err, part)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one complaint:\n%v", name, err)
		}
	}
}

func TestAllThatIsWrongIsReportedAtOnce(t *testing.T) {
	_, err := readSettings(given(map[string]any{
		"architecture": "riscv", "gitlabBaseUrl": "gitlab", "projects": "x", "workerConcurrency": "1", "allowUnsignedApi": "true",
	}), noEnvironment)
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, name := range []string{"architecture", "gitlabBaseUrl", "projects", "workerConcurrency", "allowUnsignedApi"} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, "context value "+name) }) {
			t.Errorf("nothing is said of %s:\n%v", name, err)
		}
	}
}

// The app itself asks: no template of a real account leaves it unsigned.
func TestSynthesisRefusesAnUnsignedAPIOnARealAccount(t *testing.T) {
	for _, values := range []map[string]any{
		{"allowUnsignedApi": "true"},
		{"allowUnsignedApi": "true", "account": "123456789012", "region": "eu-central-1"},
	} {
		if _, err := synthesize(values); err == nil || !strings.Contains(err.Error(), "allowUnsignedApi") {
			t.Errorf("%v: %v, want a refusal", values, err)
		}
	}
}

func TestEveryNamedRetentionIsOneOfCloudWatchLogs(t *testing.T) {
	for days := range retentions {
		_, err := readSettings(given(map[string]any{"logRetentionDays": float64(days)}), noEnvironment)
		if err != nil {
			t.Error(err)
		}
	}
}

// A value given by -c is gone with the next deploy, and with it, for example,
// the GitLab that the token is sent to.
func TestNoDocumentTellsToDeployWithAValueThatTheNextDeployForgets(t *testing.T) {
	files := append(allRunbooks(t), filepath.Join("..", "README.md"))
	for _, file := range files {
		if commands := commandsOf(t, file); strings.Contains(commands, "CDK_ARGS") {
			t.Errorf("%s: %s", file, commands)
		}
	}
}
