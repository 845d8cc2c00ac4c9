package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// given adds what must be given to values.
func given(values map[string]any) map[string]any {
	return with(map[string]any{"projects": "*"}, values)
}

func noEnvironment(string) string { return "" }

func TestDefaultsFitAnyAccount(t *testing.T) {
	got, _, err := readSettings(given(nil), noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		StackName: "lorehook", Architecture: "arm64", LambdaDir: ".build/lambda", GitLabBaseURL: "https://gitlab.com", Projects: "*",
		Embedder: "bedrock", EmbedderModel: titan, EmbedderConcurrency: 2, WorkerConcurrency: 4, GitLabRequestsPerSecond: 4, ReconcileMinutes: 5, CensusDays: 7, ProjectHideAfterHours: 24, Confidential: "exclude", LogRetentionDays: 30,
		LogLevel: "info", Tracing: "active", SearchLanguage: "en", RunbooksURL: runbooks,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestContextValuesAreTakenAsTextAndAsJSON(t *testing.T) {
	want := settings{
		Account: localAccount, Region: "us-east-1", StackName: "team-a", Architecture: "x86_64", LambdaDir: "/somewhere",
		GitLabBaseURL: "http://127.0.0.1:8929", Projects: "71480000", Embedder: "openai", EmbedderURL: "http://127.0.0.1:11434/v1",
		EmbedderModel: "nomic-embed-text", EmbedderAPIKey: true, EmbedderConcurrency: 2, AllowUnsignedAPI: true, WorkerConcurrency: 2, GitLabRequestsPerSecond: 1, ReconcileMinutes: 60, CensusDays: 0, ProjectHideAfterHours: 72, Confidential: "include", LogRetentionDays: 7,
		LogLevel: "error", Tracing: "off", SearchLanguage: "cjk", AlarmTopicARN: "arn:aws:sns:us-east-1:000000000000:alarms", RunbooksURL: "https://wiki.example.com",
	}
	text := map[string]any{
		"account": localAccount, "region": "us-east-1", "stackName": "team-a", "architecture": "x86_64", "lambdaDir": "/somewhere",
		"gitlabBaseUrl": "http://127.0.0.1:8929/", "projects": "71480000", "embedder": "openai", "embedderUrl": "http://127.0.0.1:11434/v1",
		"embedderModel": "nomic-embed-text", "embedderApiKey": "true", "allowUnsignedApi": "true", "workerConcurrency": "2",
		"gitlabRequestsPerSecond": "1", "reconcileMinutes": "60", "censusDays": "0", "projectHideAfterHours": "72", "confidential": "include", "logRetentionDays": "7", "logLevel": "error", "tracing": "off", "searchLanguage": "cjk",
		"alarmTopicArn": "arn:aws:sns:us-east-1:000000000000:alarms", "runbooksUrl": "https://wiki.example.com/",
	}
	typed := with(text, map[string]any{
		"projects": 71480000.0, "embedderApiKey": true, "allowUnsignedApi": true, "workerConcurrency": 2.0, "gitlabRequestsPerSecond": 1.0, "logRetentionDays": 7.0,
	})
	for name, values := range map[string]map[string]any{"-c on the command line": text, "cdk.json": typed} {
		got, _, err := readSettings(given(values), noEnvironment)
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
		got, _, err := readSettings(given(c.context), func(name string) string { return c.environment[name] })
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
		"lexical with requests":      {map[string]any{"embedder": "lexical", "embedderConcurrency": "3"}, []string{"embedderConcurrency", `"lexical"`}},
		"no requests to bedrock":     {map[string]any{"embedderConcurrency": "0"}, []string{"embedderConcurrency", `"0"`, "from 1 to 64"}},
		"bedrock's other models":     {map[string]any{"embedderModel": "cohere.embed-v4:0"}, []string{"embedderModel", `"cohere.embed-v4:0"`, titan}},
		"lexical with a model":       {map[string]any{"embedder": "lexical", "embedderModel": "m"}, []string{"embedderModel", `"m"`}},
		"minilm on AWS":              {map[string]any{"embedder": "minilm", "embedderDir": "/opt/minilm"}, []string{"embedder", `"minilm"`, "bedrock, openai, lexical"}},
		"files without minilm":       {map[string]any{"embedderDir": "/opt/minilm"}, []string{"embedderDir", `"/opt/minilm"`}},
		"one worker":                 {map[string]any{"workerConcurrency": "1"}, []string{"workerConcurrency", `"1"`, "from 2 to 1000"}},
		"too many workers":           {map[string]any{"workerConcurrency": 1001.0}, []string{"workerConcurrency", `"1001"`}},
		"workers in words":           {map[string]any{"workerConcurrency": "many"}, []string{"workerConcurrency", `"many"`}},
		"confidentiality":            {map[string]any{"confidential": "hide"}, []string{"confidential", `"hide"`, "exclude", "include"}},
		"a reconcile every two days": {map[string]any{"reconcileMinutes": "2880"}, []string{"reconcileMinutes", `"2880"`, "from 1 to 1440"}},
		"a census every year":        {map[string]any{"censusDays": "365"}, []string{"censusDays", `"365"`, "from 0 to 90"}},
		"hiding at once":             {map[string]any{"projectHideAfterHours": "0"}, []string{"projectHideAfterHours", `"0"`, "from 1 to 720"}},
		"no requests":                {map[string]any{"gitlabRequestsPerSecond": "0"}, []string{"gitlabRequestsPerSecond", `"0"`, "from 1 to 1000"}},
		"log level":                  {map[string]any{"logLevel": "verbose"}, []string{"logLevel", `"verbose"`, "info, warn, error"}},
		"a share of traces":          {map[string]any{"tracing": "0.5"}, []string{"tracing", `"0.5"`, "active, off"}},
		"a table for its stream":     {map[string]any{"contentStreamArn": "arn:aws:dynamodb:us-east-1:123456789012:table/content"}, []string{"contentStreamArn", "table/content"}},
		"a topic by its name":        {map[string]any{"alarmTopicArn": "alarms"}, []string{"alarmTopicArn", `"alarms"`}},
		"a FIFO topic":               {map[string]any{"alarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms.fifo"}, []string{"alarmTopicArn", "alarms.fifo"}},
		"runbooks without scheme":    {map[string]any{"runbooksUrl": "wiki/runbooks"}, []string{"runbooksUrl", `"wiki/runbooks"`, "https"}},
		"log retention":              {map[string]any{"logRetentionDays": "31"}, []string{"logRetentionDays", `"31"`, "30"}},
		"stack name":                 {map[string]any{"stackName": "Lore Hook"}, []string{"stackName", `"Lore Hook"`}},
		"stack name too long":        {map[string]any{"stackName": strings.Repeat("a", 41)}, []string{"stackName"}},
		"account":                    {map[string]any{"account": "prod", "region": "eu-central-1"}, []string{"account", `"prod"`, "12 digits"}},
		"account without region":     {map[string]any{"account": "123456789012"}, []string{"account and region", `"123456789012"`, `""`}},
		"a list":                     {map[string]any{"stackName": []any{1.0, 2.0}}, []string{"stackName", "[1 2]"}},
		"no projects":                {map[string]any{"projects": nil}, []string{"projects", "required", "or *"}},
		"empty projects":             {map[string]any{"projects": ""}, []string{"projects", "required", "or *"}},
		"http":                       {map[string]any{"gitlabBaseUrl": "http://gitlab.example.com"}, []string{"gitlabBaseUrl", `"http://gitlab.example.com"`, "https"}},
		"an address without TLS":     {map[string]any{"gitlabBaseUrl": "http://10.0.0.7"}, []string{"gitlabBaseUrl", "https"}},
		"openai over http":           {with(openai, map[string]any{"embedderUrl": "http://embeddings.example.com/v1"}), []string{"embedderUrl", "https"}},
		"runbooks over http":         {map[string]any{"runbooksUrl": "http://wiki.example.com"}, []string{"runbooksUrl", "https"}},
		"OpenSearch over http":       {map[string]any{"openSearchEndpoint": "http://search-lore-abcdefghij0123456789klmnop.eu-central-1.es.amazonaws.com"}, []string{"openSearchEndpoint", "https"}},
		"OpenSearch Serverless":      {map[string]any{"openSearchEndpoint": "https://abc.eu-central-1.aoss.amazonaws.com"}, []string{"openSearchEndpoint", "OpenSearch Serverless", "not supported"}},
		"OpenSearch in a VPC":        {map[string]any{"openSearchEndpoint": "https://vpc-lore-abcdefghij0123456789klmnop.eu-central-1.es.amazonaws.com"}, []string{"openSearchEndpoint", "within a VPC"}},
		"another OpenSearch":         {map[string]any{"openSearchEndpoint": "https://opensearch.example.com"}, []string{"openSearchEndpoint", "not the endpoint of a domain"}},
		"another spelling":           {map[string]any{"opensearchEndpoint": "https://opensearch.example.com"}, []string{"opensearchEndpoint", "did you mean openSearchEndpoint?"}},
		"a swapped letter":           {map[string]any{"porjects": "42"}, []string{"context value porjects is not a setting", "did you mean projects?"}},
		"other capitals":             {map[string]any{"gitLabBaseURL": "https://gitlab.example.com"}, []string{"gitLabBaseURL", "did you mean gitlabBaseUrl?"}},
		"underscores":                {map[string]any{"gitlab_base_url": "https://gitlab.example.com"}, []string{"gitlab_base_url", "did you mean gitlabBaseUrl?"}},
		"a letter left out":          {map[string]any{"project": "42"}, []string{"context value project is", "did you mean projects?"}},
		"something else":             {map[string]any{"colour": "blue"}, []string{"colour", "the settings are account, alarmTopicArn,", "workerConcurrency"}},
		"a variable's name":          {map[string]any{"LOREHOOK_PROJECTS": "42"}, []string{"LOREHOOK_PROJECTS", "not a setting"}},
	} {
		_, _, err := readSettings(given(c.values), noEnvironment)
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
	_, _, err := readSettings(given(map[string]any{
		"architecture": "riscv", "gitlabBaseUrl": "gitlab", "projects": "x", "workerConcurrency": "1", "allowUnsignedApi": "true", "logLevels": "info",
	}), noEnvironment)
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, name := range []string{"architecture", "gitlabBaseUrl", "projects", "workerConcurrency", "allowUnsignedApi", "logLevels"} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, "context value "+name) }) {
			t.Errorf("nothing is said of %s:\n%v", name, err)
		}
	}
}

func TestReadSettings_LeavesTheCDKsOwnContextAlone(t *testing.T) {
	_, _, err := readSettings(given(map[string]any{
		"@aws-cdk/core:newStyleStackSynthesis": true, "aws:cdk:enable-path-metadata": true, "aws-cdk:enableDiffNoFail": "true", "cli-telemetry": false,
		"acknowledged-issue-numbers": []any{1.0}, "availability-zones:account=123456789012:region=eu-central-1": []any{"a"},
	}), noEnvironment)
	if err != nil {
		t.Error(err)
	}
}

func TestReadSettings_DoesNotRepeatAPassword(t *testing.T) {
	_, _, err := readSettings(given(map[string]any{"gitlabBaseUrl": "https://user:not-a-password@gitlab.example.com"}), noEnvironment)
	if err == nil || strings.Contains(err.Error(), "not-a-password") {
		t.Error(err)
	}
}

// Operators see what a deployment will do with the settings that they left out.
func TestReadSettings_TellsWhatWasGivenFromDefaults(t *testing.T) {
	_, got, err := readSettings(map[string]any{"projects": "42", "logLevel": "warn", "lambdaDir": "/elsewhere", "protected": "true", "tracing": ""}, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"projects": "42", "logLevel": "warn"}, got.Given); diff != "" {
		t.Errorf("given (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"gitlabBaseUrl": "https://gitlab.com", "embedder": "bedrock", "embedderModel": titan, "tracing": "active"} {
		if got.Default[name] != want {
			t.Errorf("default of %s: %q, want %q", name, got.Default[name], want)
		}
	}
	if text := fmt.Sprint(got); strings.Contains(text, "lambdaDir") || strings.Contains(text, "protected") {
		t.Errorf("these are not about the stack: %s", text)
	}
}

// The table in docs/configuration.md is the list of settings.
func TestReadSettings_KnowsTheSettingsThatAreDocumented(t *testing.T) {
	_, all, err := readSettings(given(nil), noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(read(t, filepath.Join("..", "docs", "configuration.md")), "## Stack (context values)")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([A-Za-z]+)`").FindAllStringSubmatch(cells[1], -1) {
				documented = append(documented, m[1])
			}
		}
	}
	slices.Sort(documented)
	want := append(slices.Collect(maps.Keys(merged(all.Given, all.Default))), "lambdaDir", "protected")
	slices.Sort(want)
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("settings (-known +documented):\n%s", diff)
	}
}

func TestNearest_SuggestsOnlyWhatIsClose(t *testing.T) {
	names := []string{"account", "architecture", "embedder", "embedderApiKey", "embedderModel", "embedderUrl", "gitlabBaseUrl", "logLevel", "projects", "region", "tracing"}
	for name, want := range map[string]string{
		"projets": "projects", "Projects": "projects", "project_ids": "projects", "gitlabUrl": "", "gitlab-base-url": "gitlabBaseUrl", "gitlabBaseUri": "gitlabBaseUrl",
		"embeder": "embedder", "embedderURL": "embedderUrl", "embedderApikey": "embedderApiKey", "trace": "", "regoin": "region", "x": "", "": "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
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
		_, _, err := readSettings(given(map[string]any{"logRetentionDays": float64(days)}), noEnvironment)
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
