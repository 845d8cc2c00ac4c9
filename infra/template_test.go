package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		main()
		return
	}
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// The variants that the tests look at. Each is synthesized when first asked
// for, and once.
var (
	// onAWS fits any account and has all defaults.
	onAWS = variant(nil)
	// onLocal is what the local stack deploys.
	onLocal = variant(map[string]any{
		"account": localAccount, "region": "us-east-1", "architecture": "x86_64", "embedder": "lexical",
		"allowUnsignedApi": "true", "gitlabBaseUrl": "http://127.0.0.1:8929", "projects": "1,2",
	})
	// onOpenAI is for one real account, with everything set that can be.
	onOpenAI = variant(map[string]any{
		"account": "123456789012", "region": "eu-central-1", "stackName": "team-a", "architecture": "x86_64",
		"gitlabBaseUrl": "https://gitlab.example.com/", "projects": "7, 8", "embedder": "openai",
		"embedderUrl": "https://embeddings.example.com/v1", "embedderModel": "nomic-embed-text", "embedderApiKey": "true",
		"workerConcurrency": "5", "gitlabRequestsPerSecond": "3", "reconcileMinutes": "60", "censusDays": "30", "projectHideAfterHours": "48", "confidential": "include", "logRetentionDays": "90", "logLevel": "warn",
		"openSearchEndpoint": "https://search-our-domain-abcdefghij0123456789klmnop.eu-west-1.es.amazonaws.com/",
		"alarmTopicArn":      "arn:aws:sns:eu-central-1:123456789012:team-a-alarms", "runbooksUrl": "https://wiki.example.com/runbooks/",
	})
	// onLongest has the longest name and all secrets, for any account.
	onLongest = variant(map[string]any{
		"stackName": longestName, "embedder": "openai", "embedderUrl": "https://embeddings.example.com/v1", "embedderModel": "nomic-embed-text", "embedderApiKey": "true",
	})
)

// longestName is a stack's name as long as settings accept.
const longestName = "s123456789-123456789-123456789-123456789"

// inPrivate is for a self-managed GitLab that is not public, with everything set
// that costs something or joins other networks, as many projects as
// [TestAnEnvironmentThatLambdaWouldRefuseIsRefusedAtSynthesis] says fit, and
// nothing traced.
func inPrivate(t *testing.T) stackTemplate {
	t.Helper()
	skipIfShort(t)
	s, err := private()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// restoredStream is the stream of a content table that was restored.
const restoredStream = "arn:aws:dynamodb:eu-central-1:123456789012:table/lorehook-Content88381566-1ABCDEFGHIJ2K/stream/2026-11-28T06:00:00.000"

var private = sync.OnceValues(func() (s stackTemplate, err error) {
	dir, err := os.MkdirTemp("", "lorehook-infra-")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir)
	ca, err := testCA(time.Now())
	if err != nil {
		return s, err
	}
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, ca, 0o644); err != nil {
		return s, err
	}
	return synthesize(map[string]any{
		"account": "123456789012", "region": "eu-central-1", "gitlabBaseUrl": "https://gitlab.internal.example.com", "gitlabCaBundle": file,
		"vpcSubnetIds": "subnet-0aaaaaaaaaaaaaaaa, subnet-0bbbbbbbbbbbbbbbb", "vpcSecurityGroupIds": "sg-0cccccccccccccccc",
		"webhookReservedConcurrency": "20", "contentWarmWriteUnits": 12000.0, "contentStreamArn": restoredStream, "projects": projectIDs(projectsThatFit), "tracing": "off",
	})
})

// existing is all defaults in a stack that exists, to which a queue is added that
// breaks rules of cdk-nag.
func existing(t *testing.T) stackTemplate {
	t.Helper()
	skipIfShort(t)
	s, err := withBadQueue()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// badQueue is the id of the queue that [existing] has too many.
const badQueue = "Bad"

var withBadQueue = sync.OnceValues(func() (stackTemplate, error) {
	return synthesize(map[string]any{"protected": "true"}, func(stack awscdk.Stack) {
		awssqs.NewQueue(stack, jsii.String(badQueue), nil)
	})
})

// testCA is the PEM text of a certificate that is valid around the time.
func testCA(at time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: at.Add(-time.Hour), NotAfter: at.Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// skipIfShort skips what needs more than the stack with all defaults: each synthesis
// takes seconds of processor.
func skipIfShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("synthesizes another stack")
	}
}

// everyVariant runs the test on each variant, with -short on the defaults only.
func everyVariant(t *testing.T, test func(t *testing.T, s stackTemplate)) {
	t.Helper()
	for name, synthesized := range map[string]func(*testing.T) stackTemplate{"aws": onAWS, "local": onLocal, "openai": onOpenAI} {
		t.Run(name, func(t *testing.T) { test(t, synthesized(t)) })
	}
}

// stackTemplate is what one synthesis came to.
type stackTemplate struct {
	Resources map[string]resource
	Outputs   map[string]struct{ Value any }
	Metadata  struct{ Lorehook effective }
	// Findings are the errors and warnings of synthesis, those of cdk-nag among them.
	Findings             []string
	TerminationProtected bool
	// Text is the whole template.
	Text []byte `json:"-"`
	// WorkerFiles and CrawlerFiles are the files of the code that calls GitLab.
	WorkerFiles, CrawlerFiles []string
}

// resource is one resource of a template.
type resource struct {
	Type                string
	Properties          map[string]any
	DeletionPolicy      string
	UpdateReplacePolicy string
	DependsOn           []string
	Metadata            struct {
		Nag struct {
			Suppressions []struct {
				ID        string
				Reason    string
				AppliesTo []string `json:"applies_to"`
			} `json:"rules_to_suppress"`
		} `json:"cdk_nag"`
	}
}

// variant returns the template of the app with these context values.
func variant(context map[string]any) func(*testing.T) stackTemplate {
	once := sync.OnceValues(func() (stackTemplate, error) { return synthesize(context) })
	return func(t *testing.T) stackTemplate {
		t.Helper()
		if context != nil {
			skipIfShort(t)
		}
		s, err := once()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// synthesize runs the app, with what is added to its stack.
func synthesize(context map[string]any, add ...func(awscdk.Stack)) (s stackTemplate, err error) {
	dir, err := os.MkdirTemp("", "lorehook-infra-")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir)
	lambdas := filepath.Join(dir, "lambda")
	if err := fakeLambdas(lambdas); err != nil {
		return s, err
	}
	values := map[string]any{"lambdaDir": lambdas, "projects": "*"}
	maps.Copy(values, context)
	app := awscdk.NewApp(&awscdk.AppProps{
		Context: &values, Outdir: jsii.String(filepath.Join(dir, "cdk.out")), AnalyticsReporting: jsii.Bool(false), TreeMetadata: jsii.Bool(false),
	})
	built, err := build(app, func(string) string { return "" })
	if err != nil {
		return s, err
	}
	for _, more := range add {
		more(built)
	}
	artifact := app.Synth(nil).GetStackArtifact(built.ArtifactId())
	s.TerminationProtected = *artifact.TerminationProtection()
	if s.Findings, err = findings(strings.Replace(*artifact.TemplateFullPath(), ".template.json", ".metadata.json", 1)); err != nil {
		return s, err
	}
	if err := readJSON(*artifact.TemplateFullPath(), &s); err != nil {
		return s, err
	}
	if s.Text, err = os.ReadFile(*artifact.TemplateFullPath()); err != nil {
		return s, err
	}
	assembly := filepath.Dir(*artifact.TemplateFullPath())
	if s.WorkerFiles, err = s.filesOf("WorkerFunction", assembly); err != nil {
		return s, err
	}
	s.CrawlerFiles, err = s.filesOf("CrawlerFunction", assembly)
	return s, err
}

// filesOf are the names of the files in a function's code.
func (s stackTemplate) filesOf(function, assembly string) (names []string, err error) {
	code, _ := s.ofType("AWS::Lambda::Function")[function]["Code"].(map[string]any)
	hash, _, _ := strings.Cut(fmt.Sprint(code["S3Key"]), ".")
	entries, err := os.ReadDir(filepath.Join(assembly, "asset."+hash))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// findings are the errors and warnings in the metadata of a synthesized stack.
func findings(file string) ([]string, error) {
	var metadata map[string][]struct {
		Type string
		Data any
	}
	err := readJSON(file, &metadata)
	var found []string
	for path, entries := range metadata {
		for _, e := range entries {
			if e.Type == "aws:cdk:error" || e.Type == "aws:cdk:warning" {
				found = append(found, fmt.Sprintf("%s %s: %v", e.Type, path, e.Data))
			}
		}
	}
	return found, err
}

func readJSON(file string, v any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// fakeLambdas stands in for the binaries, of which the template only has a hash.
func fakeLambdas(dir string) error {
	sources, err := filepath.Glob("../functions/*/main.go")
	if err != nil || len(sources) == 0 {
		return fmt.Errorf("no functions found: %v", err)
	}
	for _, source := range sources {
		name := filepath.Base(filepath.Dir(source))
		for _, architecture := range []string{"arm64", "x86_64"} {
			target := filepath.Join(dir, architecture, name)
			if err := os.MkdirAll(target, 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(target, "bootstrap"), []byte(name), 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}

// ofType returns the properties of all resources of a type, their references
// resolved, by name.
func (s stackTemplate) ofType(kind string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for id, r := range s.Resources {
		if r.Type == kind {
			properties, _ := resolve(r.Properties).(map[string]any)
			found[readable(id)] = properties
		}
	}
	return found
}

// suffix is what the CDK appends to a resource's id.
var suffix = regexp.MustCompile(`[0-9A-F]{8}$`)

func readable(id string) string { return suffix.ReplaceAllString(id, "") }

// resolve replaces CloudFormation's functions by text: {"Fn::GetAtt":
// ["Bulk4B159F23", "Arn"]} becomes Bulk.Arn, {"Ref": "Bulk4B159F23"} Bulk.
func resolve(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			list = append(list, resolve(e))
		}
		return list
	case map[string]any:
		if id, ok := v["Ref"].(string); ok && len(v) == 1 {
			if strings.HasPrefix(id, "AWS::") {
				return "${" + id + "}"
			}
			return readable(id)
		}
		if att, ok := v["Fn::GetAtt"].([]any); ok {
			return fmt.Sprintf("%s.%s", readable(att[0].(string)), att[1])
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range resolve(join[1]).([]any) {
				parts = append(parts, fmt.Sprint(part))
			}
			return strings.Join(parts, join[0].(string))
		}
		m := map[string]any{}
		for k, e := range v {
			m[k] = resolve(e)
		}
		return m
	default:
		return v
	}
}

// texts returns one value or a list of them as a list.
func texts(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var list []string
		for _, e := range v {
			list = append(list, fmt.Sprint(e))
		}
		return list
	default:
		return []string{fmt.Sprint(v)}
	}
}

// objects returns a list's objects.
func objects(v any) []map[string]any {
	var list []map[string]any
	all, _ := v.([]any)
	for _, e := range all {
		if m, ok := e.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}
