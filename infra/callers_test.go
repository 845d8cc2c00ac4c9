package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/policies/reader.json and operator.json")

// statement is one of a policy in docs/policies.
type statement struct {
	Effect   string
	Action   []string
	Resource []string
}

type policyDocument struct {
	Version   string
	Statement []statement
}

// policyOf is a managed policy of the template with placeholders for what differs
// between stacks.
func policyOf(s stackTemplate, id string) policyDocument {
	placeholders := strings.NewReplacer("${AWS::Partition}", "aws", "${AWS::Region}", "REGION", "${AWS::AccountId}", "ACCOUNT", "HttpApi", "API_ID")
	document := s.ofType("AWS::IAM::ManagedPolicy")[id]["PolicyDocument"].(map[string]any)
	p := policyDocument{Version: document["Version"].(string)}
	for _, o := range objects(document["Statement"]) {
		one := statement{Effect: o["Effect"].(string), Action: texts(o["Action"])}
		for _, r := range texts(o["Resource"]) {
			switch name, attribute, _ := strings.Cut(r, "."); attribute {
			case "Arn":
				r = "arn:aws:logs:REGION:ACCOUNT:log-group:lorehook-" + name + "*:*"
			case "Id":
				r = "arn:aws:secretsmanager:REGION:ACCOUNT:secret:" + name + "*"
			}
			one.Resource = append(one.Resource, placeholders.Replace(r))
		}
		p.Statement = append(p.Statement, one)
	}
	return p
}

func documented(t *testing.T, name string) policyDocument {
	t.Helper()
	var p policyDocument
	if err := json.Unmarshal([]byte(read(t, filepath.Join("../docs/policies", name+".json"))), &p); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

func TestCallerPolicies_AreThoseOfTheDocs(t *testing.T) {
	for id, name := range map[string]string{"ReaderPolicy": "reader", "OperatorPolicy": "operator"} {
		got := policyOf(onAWS(t), id)
		if *update {
			raw, err := json.MarshalIndent(got, "", "  ")
			if err == nil {
				err = os.WriteFile(filepath.Join("../docs/policies", name+".json"), append(raw, '\n'), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(documented(t, name), got); diff != "" {
			t.Errorf("%s (-docs +template):\n%s", name, diff)
		}
	}
}

func TestCallerPolicies_OfTwoStacksShareNoName(t *testing.T) {
	var names []string
	for _, s := range []stackTemplate{onAWS(t), onLocal(t), onOpenAI(t)} {
		for id, p := range s.ofType("AWS::IAM::ManagedPolicy") {
			names = append(names, p["ManagedPolicyName"].(string))
			if out := strings.TrimSuffix(id, "Policy") + "PolicyArn"; resolve(s.Outputs[out].Value) != id {
				t.Errorf("output %s is %v", out, s.Outputs[out].Value)
			}
		}
	}
	slices.Sort(names)
	want := []string{
		"lorehook-operator-${AWS::Region}", "lorehook-operator-us-east-1", "lorehook-reader-${AWS::Region}", "lorehook-reader-us-east-1",
		"team-a-operator-eu-central-1", "team-a-reader-eu-central-1",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// calls are the actions that the code of a directory calls AWS with, by their inputs.
func calls(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	input := regexp.MustCompile(`&(cloudformation|dynamodb|cloudwatchlogs|lambda|secretsmanager|s3|sqs|sfn|sts)\.(\w+)Input\{`)
	var found []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range input.FindAllStringSubmatch(read(t, file), -1) {
			found = append(found, strings.Replace(m[1], "cloudwatchlogs", "logs", 1)+":"+m[2])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// actions are those of a policy in the docs, without some that no client of the SDK sends.
func (p policyDocument) actions(without ...string) []string {
	var all []string
	for _, s := range p.Statement {
		for _, a := range s.Action {
			if !slices.Contains(without, a) {
				all = append(all, a)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestPolicies_AllowWhatTheCodeCalls(t *testing.T) {
	// The CDK CLI takes its roles, and reads which version its bootstrap has.
	if diff := cmp.Diff(calls(t, "../scripts/deploy"), documented(t, "deployer").actions("sts:AssumeRole", "ssm:GetParameter")); diff != "" {
		t.Errorf("deployer (-scripts/deploy +docs):\n%s", diff)
	}
	if diff := cmp.Diff(calls(t, "../internal/cli"), documented(t, "operator").actions("execute-api:Invoke")); diff != "" {
		t.Errorf("operator (-internal/cli +docs):\n%s", diff)
	}
}
