package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"gitlab.com/lorehook/lorehook/internal/search/language"
	"gitlab.com/lorehook/lorehook/internal/search/opensearch"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// localAccount is the account id of the emulators; no real account has it.
const localAccount = "000000000000"

// defaultWarmWriteUnits is what AWS gives a new table on demand.
const defaultWarmWriteUnits = 4000

// titan is the one Bedrock model that the embed function can call.
const titan = "amazon.titan-embed-text-v2:0"

// settings are the context values of the app (`cdk synth -c name=value`).
type settings struct {
	// Account and Region are `account` and `region`; without them those of the
	// CLI's credentials; without these the template fits any account.
	Account, Region string
	// StackName is `stackName`, lorehook if unset. Fixed names start with it.
	StackName string
	// Architecture is `architecture`: arm64 (if unset) or x86_64.
	Architecture string
	// LambdaDir is `lambdaDir`, .build/lambda if unset: the directory that
	// holds <architecture>/<function>/bootstrap.
	LambdaDir string
	// GitLabBaseURL is `gitlabBaseUrl`, https://gitlab.com if unset.
	GitLabBaseURL string
	// Projects is `projects`: project ids, comma-separated, or *. Required.
	Projects string
	// Embedder is `embedder`: bedrock, openai or lexical, and minilm on the local stack.
	// Unset, it is bedrock, and lexical on the local stack.
	Embedder string
	// EmbedderDir is `embedderDir`, needed by minilm: where the functions find the
	// model's files.
	EmbedderDir string
	// EmbedderURL is `embedderUrl`, needed by openai: the base URL up to /v1.
	EmbedderURL string
	// EmbedderModel is `embedderModel`, needed by openai. Bedrock has one only.
	EmbedderModel string
	// EmbedderAPIKey is `embedderApiKey`: true makes a secret for the key of
	// an openai endpoint.
	EmbedderAPIKey bool
	// EmbedderConcurrency is `embedderConcurrency`, 1 to 64, 2 if unset: how many
	// requests to Bedrock one invocation of embed has in flight.
	EmbedderConcurrency int
	// AllowUnsignedAPI is `allowUnsignedApi`: true lets unsigned calls in to
	// /v1. Only the local stack may.
	AllowUnsignedAPI bool
	// WorkerConcurrency is `workerConcurrency`, 2 to 1000, 4 if unset: how
	// many workers requests.fifo may start at once.
	WorkerConcurrency int
	// GitLabRequestsPerSecond is `gitlabRequestsPerSecond`, 1 to 1000, 4 if
	// unset: one worker's own rate. Times the workers of both queues it is the
	// share of GitLab's budget: 24 a second of gitlab.com's 33 by default.
	GitLabRequestsPerSecond int
	// LogRetentionDays is `logRetentionDays`, 30 if unset.
	LogRetentionDays int
	// LogLevel is `logLevel`: info (if unset), warn or error. Above info, Lambda's
	// own lines about successful invocations are omitted too. It does not affect
	// metrics.
	LogLevel string
	// Tracing is `tracing`: active (if unset) or off. Lambda samples the first
	// request of a second and 5% of the others, which cannot be changed.
	Tracing string
	// SearchLanguage is `searchLanguage`, en if unset: the language that texts are
	// searched in, one of [language.Names].
	SearchLanguage string
	// OpenSearchEndpoint is `openSearchEndpoint`: the domain of Amazon OpenSearch Service
	// that has the search index. If unset, the index is in a bucket.
	OpenSearchEndpoint opensearch.Endpoint
	// AlarmTopicARN is `alarmTopicArn`: an SNS topic that is notified of alarms.
	// None if unset.
	AlarmTopicARN string
	// RunbooksURL is `runbooksUrl`: where docs/runbooks can be read, this
	// project's own place if unset.
	RunbooksURL string
	// WebhookReservedConcurrency is `webhookReservedConcurrency`, 1 to 1000: the
	// concurrent invocations that only the webhook may use, and its maximum. 0 (if
	// unset) reserves none.
	WebhookReservedConcurrency int
	// ContentWarmWriteUnits is `contentWarmWriteUnits`, more than 4000: the write
	// units a second that the content table accepts at once. 0 (if unset) leaves
	// it at what AWS gives a new table, 4000. Raising it costs once.
	ContentWarmWriteUnits int
	// ContentStreamARN is `contentStreamArn`: the stream of a content table that was
	// restored under its name. If unset, it is the stream that CloudFormation created.
	ContentStreamARN string
	// GitLabCABundle is `gitlabCaBundle`: a PEM file with the certificates of
	// private authorities that worker and crawler trust. None if unset.
	GitLabCABundle string
	// VPCSubnetIDs and VPCSecurityGroupIDs are `vpcSubnetIds` and
	// `vpcSecurityGroupIds`, comma-separated: where the network interfaces of worker
	// and crawler are. Without them they have the public internet.
	VPCSubnetIDs, VPCSecurityGroupIDs []string
	// BundledDir holds the directories of worker and crawler if they are not in
	// LambdaDir: with a CA bundle, copies that hold it.
	BundledDir string
	// ReconcileMinutes is `reconcileMinutes`, 1 to 1440, 5 if unset: the time from one
	// reconcile of a project to the next.
	ReconcileMinutes int
	// CensusDays is `censusDays`, 0 to 90, 7 if unset: within how many days every copy
	// is fetched again. 0 means never.
	CensusDays int
	// ProjectHideAfterHours is `projectHideAfterHours`, 1 to 720, 24 if unset: how long
	// GitLab must refuse to show a project before its copies are hidden.
	ProjectHideAfterHours int
	// Confidential is `confidential`: exclude (if unset) or include, what readers see of
	// confidential issues and internal notes.
	Confidential string
	// Protected is `protected`: true keeps the termination protection of a stack
	// that exists. `make deploy` sets it; a stack that is being created must not
	// have it, because the CDK repeats a failed creation by deleting the stack.
	Protected bool
}

// effective is the value of every setting by its name: those that were given,
// and the defaults of the others. It leaves out what says nothing about the
// stack: where its functions are built, and whether it existed before.
type effective struct {
	Given, Default map[string]string
}

// Where this project's documents can be read.
const (
	documents = "https://gitlab.com/lorehook/lorehook/-/blob/main/docs"
	runbooks  = documents + "/runbooks"
	costPage  = documents + "/cost.md"
)

// readSettings reads all context values and reports all that are wrong at once,
// and those that no setting has the name of.
func readSettings(values map[string]any, getenv func(name string) string) (settings, effective, error) {
	r := reader{values: values, effective: effective{Given: map[string]string{}, Default: map[string]string{}}}
	account, region := getenv("CDK_DEFAULT_ACCOUNT"), getenv("CDK_DEFAULT_REGION")
	if account == "" || region == "" {
		// A region without credentials says nothing of where to deploy to.
		account, region = "", ""
	}
	s := settings{
		Account:                    r.text("account", account),
		Region:                     r.text("region", region),
		StackName:                  r.matching("stackName", "lorehook", `^[a-z][a-z0-9-]{0,39}$`),
		Architecture:               r.oneOf("architecture", "arm64", "x86_64"),
		LambdaDir:                  r.text("lambdaDir", ".build/lambda"),
		GitLabBaseURL:              r.httpURL("gitlabBaseUrl", "https://gitlab.com"),
		Projects:                   r.projects("projects"),
		EmbedderURL:                r.httpURL("embedderUrl", ""),
		EmbedderDir:                r.text("embedderDir", ""),
		EmbedderAPIKey:             r.boolean("embedderApiKey"),
		EmbedderConcurrency:        r.number("embedderConcurrency", surgical.DefaultEmbedderConcurrency, func(n int) bool { return n >= 1 && n <= surgical.MaxEmbedderConcurrency }, fmt.Sprintf("a number from 1 to %d", surgical.MaxEmbedderConcurrency)),
		AllowUnsignedAPI:           r.boolean("allowUnsignedApi"),
		WorkerConcurrency:          r.number("workerConcurrency", surgical.DefaultConcurrency, func(n int) bool { return n >= 2 && n <= 1000 }, "a number from 2 to 1000"),
		GitLabRequestsPerSecond:    r.number("gitlabRequestsPerSecond", surgical.DefaultRequestsPerSecond, func(n int) bool { return n >= 1 && n <= 1000 }, "a number from 1 to 1000"),
		ReconcileMinutes:           r.number("reconcileMinutes", int(surgical.ReconcileInterval.Minutes()), func(n int) bool { return n >= 1 && n <= 1440 }, "a number from 1 to 1440"),
		CensusDays:                 r.number("censusDays", int(surgical.CensusBudget.Hours()/24), func(n int) bool { return n >= 0 && n <= 90 }, "a number from 0 to 90"),
		ProjectHideAfterHours:      r.number("projectHideAfterHours", int(surgical.HideProjectAfter.Hours()), func(n int) bool { return n >= 1 && n <= 720 }, "a number from 1 to 720"),
		LogRetentionDays:           r.number("logRetentionDays", 30, func(n int) bool { return retentions[n] != "" }, "a number of days that CloudWatch Logs knows (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365)"),
		LogLevel:                   r.oneOf("logLevel", "info", "warn", "error"),
		Tracing:                    r.oneOf("tracing", "active", "off"),
		SearchLanguage:             r.oneOf("searchLanguage", append([]string{language.Default}, others(language.Names(), language.Default)...)...),
		OpenSearchEndpoint:         r.openSearch("openSearchEndpoint"),
		AlarmTopicARN:              r.matching("alarmTopicArn", "", `^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256})?$`),
		RunbooksURL:                r.httpURL("runbooksUrl", runbooks),
		WebhookReservedConcurrency: r.number("webhookReservedConcurrency", 0, func(n int) bool { return n >= 0 && n <= 1000 }, "a number from 0 to 1000"),
		ContentWarmWriteUnits:      r.number("contentWarmWriteUnits", 0, func(n int) bool { return n == 0 || n > defaultWarmWriteUnits && n <= 40_000 }, "0, or a number from 4001 to 40000"),
		ContentStreamARN:           r.matching("contentStreamArn", "", `^(arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]+/stream/[0-9A-Za-z:.-]+)?$`),
		GitLabCABundle:             r.certificates("gitlabCaBundle"),
		VPCSubnetIDs:               r.ids("vpcSubnetIds", "subnet"),
		VPCSecurityGroupIDs:        r.ids("vpcSecurityGroupIds", "sg"),
		Confidential:               r.oneOf("confidential", string(surgical.Exclude), string(surgical.Include)),
		Protected:                  r.boolean("protected"),
	}
	if s.Account == localAccount {
		s.Embedder = r.oneOf("embedder", "lexical", "minilm", "bedrock", "openai")
	} else {
		s.Embedder = r.oneOf("embedder", "bedrock", "openai", "lexical")
	}
	model := ""
	if s.Embedder == "bedrock" {
		model = titan
	}
	s.EmbedderModel = r.text("embedderModel", model)
	r.refuseUnknown()
	for _, name := range []string{"lambdaDir", "protected"} {
		delete(r.effective.Given, name)
		delete(r.effective.Default, name)
	}
	return s, r.effective, errors.Join(append(r.errs, s.validate()...)...)
}

// others returns the values without the first one that is used if none is given.
func others(values []string, first string) []string {
	return slices.DeleteFunc(values, func(v string) bool { return v == first })
}

// validate checks what values say together.
func (s settings) validate() []error {
	var errs []error
	if s.AllowUnsignedAPI && s.Account != localAccount {
		errs = append(errs, fmt.Errorf("context value allowUnsignedApi is only for the local stack (account %s), got account %q: the API of a real account is signed", localAccount, s.Account))
	}
	if (s.Account == "") != (s.Region == "") {
		errs = append(errs, fmt.Errorf("context values account and region go together, got %q and %q", s.Account, s.Region))
	}
	if s.Account != "" && !regexp.MustCompile(`^\d{12}$`).MatchString(s.Account) {
		errs = append(errs, fmt.Errorf("context value account must be 12 digits, got %q", s.Account))
	}
	if (len(s.VPCSubnetIDs) == 0) != (len(s.VPCSecurityGroupIDs) == 0) {
		errs = append(errs, errors.New("context values vpcSubnetIds and vpcSecurityGroupIds go together"))
	}
	return append(errs, s.validateEmbedder()...)
}

// validateEmbedder accepts exactly what the embed function will accept.
func (s settings) validateEmbedder() []error {
	var errs []error
	if s.Embedder == "openai" && (s.EmbedderURL == "" || s.EmbedderModel == "") {
		errs = append(errs, fmt.Errorf("context value embedder=openai needs embedderUrl and embedderModel, got %q and %q", s.EmbedderURL, s.EmbedderModel))
	}
	if s.Embedder == "bedrock" && s.EmbedderModel != titan {
		errs = append(errs, fmt.Errorf("context value embedderModel must be %s or unset with embedder=bedrock, got %q", titan, s.EmbedderModel))
	}
	if (s.Embedder == "lexical" || s.Embedder == "minilm") && s.EmbedderModel != "" {
		errs = append(errs, fmt.Errorf("context value embedderModel has no meaning with embedder=%s, got %q", s.Embedder, s.EmbedderModel))
	}
	if (s.Embedder == "minilm") != (s.EmbedderDir != "") {
		errs = append(errs, fmt.Errorf("context values embedder=minilm and embedderDir go together, got %q and %q", s.Embedder, s.EmbedderDir))
	}
	if s.Embedder != "openai" && (s.EmbedderURL != "" || s.EmbedderAPIKey) {
		errs = append(errs, fmt.Errorf("context values embedderUrl and embedderApiKey belong to embedder=openai, got embedder %q", s.Embedder))
	}
	if s.Embedder != "bedrock" && s.EmbedderConcurrency != surgical.DefaultEmbedderConcurrency {
		errs = append(errs, fmt.Errorf("context value embedderConcurrency belongs to embedder=bedrock, got embedder %q", s.Embedder))
	}
	return errs
}
