package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/cabundle"
	"gitlab.com/lorehook/lorehook/internal/function/config"
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
	// Embedder is `embedder`: bedrock, openai or lexical. Unset, it is bedrock,
	// and lexical on the local stack.
	Embedder string
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
	// GitLabCABundle is `gitlabCaBundle`: a PEM file with the certificates of
	// private authorities that the worker trusts. None if unset.
	GitLabCABundle string
	// VPCSubnetIDs and VPCSecurityGroupIDs are `vpcSubnetIds` and
	// `vpcSecurityGroupIds`, comma-separated: where the worker's network interfaces
	// are. Without them it has the public internet.
	VPCSubnetIDs, VPCSecurityGroupIDs []string
	// WorkerDir is the worker's directory if it is not in LambdaDir: with a CA
	// bundle, a copy that holds it.
	WorkerDir string
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

// appContext returns all context values of the app.
func appContext(app awscdk.App) map[string]any {
	values, _ := app.Node().GetAllContext(nil).(map[string]any)
	return values
}

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
		EmbedderAPIKey:             r.boolean("embedderApiKey"),
		EmbedderConcurrency:        r.number("embedderConcurrency", surgical.DefaultEmbedderConcurrency, func(n int) bool { return n >= 1 && n <= surgical.MaxEmbedderConcurrency }, fmt.Sprintf("a number from 1 to %d", surgical.MaxEmbedderConcurrency)),
		AllowUnsignedAPI:           r.boolean("allowUnsignedApi"),
		WorkerConcurrency:          r.number("workerConcurrency", surgical.DefaultConcurrency, func(n int) bool { return n >= 2 && n <= 1000 }, "a number from 2 to 1000"),
		GitLabRequestsPerSecond:    r.number("gitlabRequestsPerSecond", surgical.DefaultRequestsPerSecond, func(n int) bool { return n >= 1 && n <= 1000 }, "a number from 1 to 1000"),
		LogRetentionDays:           r.number("logRetentionDays", 30, func(n int) bool { return retentions[n] != "" }, "a number of days that CloudWatch Logs knows (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365)"),
		LogLevel:                   r.oneOf("logLevel", "info", "warn", "error"),
		Tracing:                    r.oneOf("tracing", "active", "off"),
		AlarmTopicARN:              r.matching("alarmTopicArn", "", `^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256})?$`),
		RunbooksURL:                r.httpURL("runbooksUrl", runbooks),
		WebhookReservedConcurrency: r.number("webhookReservedConcurrency", 0, func(n int) bool { return n >= 0 && n <= 1000 }, "a number from 0 to 1000"),
		ContentWarmWriteUnits:      r.number("contentWarmWriteUnits", 0, func(n int) bool { return n == 0 || n > defaultWarmWriteUnits && n <= 40_000 }, "0, or a number from 4001 to 40000"),
		GitLabCABundle:             r.certificates("gitlabCaBundle"),
		VPCSubnetIDs:               r.ids("vpcSubnetIds", "subnet"),
		VPCSecurityGroupIDs:        r.ids("vpcSecurityGroupIds", "sg"),
		Protected:                  r.boolean("protected"),
	}
	if s.Account == localAccount {
		s.Embedder = r.oneOf("embedder", "lexical", "bedrock", "openai")
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
	if s.Embedder == "lexical" && s.EmbedderModel != "" {
		errs = append(errs, fmt.Errorf("context value embedderModel has no meaning with embedder=lexical, got %q", s.EmbedderModel))
	}
	if s.Embedder != "openai" && (s.EmbedderURL != "" || s.EmbedderAPIKey) {
		errs = append(errs, fmt.Errorf("context values embedderUrl and embedderApiKey belong to embedder=openai, got embedder %q", s.Embedder))
	}
	if s.Embedder != "bedrock" && s.EmbedderConcurrency != surgical.DefaultEmbedderConcurrency {
		errs = append(errs, fmt.Errorf("context value embedderConcurrency belongs to embedder=bedrock, got embedder %q", s.Embedder))
	}
	return errs
}

// reader reads context values and collects what is wrong with them, and which
// it read.
type reader struct {
	values    map[string]any
	effective effective
	errs      []error
}

// text accepts the CLI's strings and the numbers and booleans of cdk.json alike.
func (r *reader) text(name, unset string) string {
	var text string
	switch v := r.values[name].(type) {
	case nil:
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64) // a project id is not 7.148e+07
	default:
		r.reject(name, "text, a number or true or false", fmt.Sprint(v))
	}
	if text == "" {
		r.effective.Default[name] = unset
		return unset
	}
	r.effective.Given[name] = text
	return text
}

// known are the names that were read, in order.
func (r *reader) known() []string {
	return slices.Sorted(maps.Keys(merged(r.effective.Given, r.effective.Default)))
}

// refuseUnknown rejects every context value that is neither a setting nor the
// CDK's own. A misspelt setting would silently deploy the default.
func (r *reader) refuseUnknown() {
	known := r.known()
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		if slices.Contains(known, name) || ofCDK(name) {
			continue
		}
		hint := "the settings are " + strings.Join(known, ", ")
		if near := nearest(name, known); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		r.errs = append(r.errs, fmt.Errorf("context value %s is not a setting: %s", name, hint))
	}
}

// ofCDK reports whether the CDK itself gives or stores a context value of this
// name: feature flags and versions (@aws-cdk/…, aws:cdk:…), cached lookups
// (availability-zones:account=…), and two switches of its CLI.
func ofCDK(name string) bool {
	return strings.ContainsAny(name, "@:") || name == "cli-telemetry" || name == "acknowledged-issue-numbers"
}

// merged returns a map with the entries of both.
func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func (r *reader) reject(name, want, got string) {
	r.errs = append(r.errs, fmt.Errorf("context value %s must be %s, got %q", name, want, got))
}

// oneOf takes the first value if none is given.
func (r *reader) oneOf(name string, values ...string) string {
	v := r.text(name, values[0])
	if !slices.Contains(values, v) {
		r.reject(name, "one of "+strings.Join(values, ", "), v)
	}
	return v
}

func (r *reader) matching(name, unset, pattern string) string {
	v := r.text(name, unset)
	if !regexp.MustCompile(pattern).MatchString(v) {
		r.reject(name, "like "+pattern, v)
	}
	return v
}

func (r *reader) boolean(name string) bool { return r.oneOf(name, "false", "true") == "true" }

func (r *reader) number(name string, unset int, valid func(int) bool, want string) int {
	text := r.text(name, strconv.Itoa(unset))
	n, err := strconv.Atoi(text)
	if err != nil || !valid(n) {
		r.reject(name, want, text)
	}
	return n
}

func (r *reader) httpURL(name, unset string) string {
	v := r.text(name, unset)
	if v == "" {
		return v
	}
	u, err := baseurl.Parse(v)
	if err != nil {
		if strings.ContainsAny(v, "@?") { // it may hold a password
			r.errs = append(r.errs, fmt.Errorf("context value %s must be %s", name, baseurl.Rule))
		} else {
			r.reject(name, baseurl.Rule, v)
		}
		return v
	}
	if !baseurl.Secure(u) {
		r.reject(name, baseurl.SecureRule, v)
	}
	return u.String()
}

// ids accepts AWS's ids of one kind, comma-separated.
func (r *reader) ids(name, kind string) []string {
	text := r.text(name, "")
	if text == "" {
		return nil
	}
	valid := regexp.MustCompile(`^` + kind + `-[0-9a-f]{8,17}$`)
	ids := strings.Split(text, ",")
	for i, id := range ids {
		ids[i] = strings.TrimSpace(id)
		if !valid.MatchString(ids[i]) || slices.Contains(ids[:i], ids[i]) {
			r.reject(name, "different ids like "+kind+"-0123456789abcdef0, comma-separated", text)
			break
		}
	}
	return ids
}

// certificates accepts the path of a file whose certificates are valid now.
func (r *reader) certificates(name string) string {
	file := r.text(name, "")
	if file == "" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err == nil {
		_, err = cabundle.Parse(text, time.Now())
	}
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("context value %s must be a PEM file with certificates, got %q: %w", name, file, err))
	}
	return file
}

// projects accepts exactly what the functions will accept. It has no default: all
// projects are copied only if that is what was asked for.
func (r *reader) projects(name string) string {
	v := r.text(name, "")
	if v == "" {
		r.errs = append(r.errs, fmt.Errorf("context value %s is required: %s", name, projectsRule))
		return v
	}
	var list config.AllowList
	if err := list.UnmarshalText([]byte(v)); err != nil {
		r.reject(name, projectsRule, v)
	}
	return v
}

const projectsRule = "project ids, comma-separated, or * for every project that the token can read"
