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

	"gitlab.com/lorehook/lorehook/infra/access"
)

var update = flag.Bool("update", false, "rewrite reader.json, operator.json and oncall.json in docs/policies")

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
func policyOf(t *testing.T, s stackTemplate, id string) policyDocument {
	t.Helper()
	document := s.ofType("AWS::IAM::ManagedPolicy")[id]["PolicyDocument"].(map[string]any)
	p := policyDocument{Version: document["Version"].(string)}
	for _, o := range objects(document["Statement"]) {
		one := statement{Effect: o["Effect"].(string), Action: texts(o["Action"])}
		for _, r := range texts(o["Resource"]) {
			one.Resource = append(one.Resource, placeholders().Replace(arnOf(t, s, r)))
		}
		one.Resource = slices.Compact(one.Resource) // all mappings have one placeholder
		p.Statement = append(p.Statement, one)
	}
	return p
}

func placeholders() *strings.Replacer {
	return strings.NewReplacer("${AWS::StackId}", "arn:aws:cloudformation:REGION:ACCOUNT:stack/lorehook/*",
		"${AWS::Partition}", "aws", "${AWS::Region}", "REGION", "${AWS::AccountId}", "ACCOUNT", "HttpApi", "API_ID")
}

// arnOf replaces a reference to a resource, such as Requests.Arn, by its ARN. Generated
// parts of names are *.
func arnOf(t *testing.T, s stackTemplate, reference string) string {
	t.Helper()
	id, attribute, isReference := strings.Cut(reference, ".")
	if !isReference || attribute != "Arn" && attribute != "Id" {
		mapping := regexp.MustCompile(`:event-source-mapping:\w+$`)
		return mapping.ReplaceAllString(reference, ":event-source-mapping:*") // AWS generates all of it
	}
	const here = "REGION:ACCOUNT:"
	for kind, arn := range map[string]struct{ before, name, after string }{
		"AWS::Logs::LogGroup":         {"logs:" + here + "log-group:", "LogGroupName", ":*"},
		"AWS::SQS::Queue":             {"sqs:" + here, "QueueName", ""},
		"AWS::Events::Rule":           {"events:" + here + "rule/", "Name", ""},
		"AWS::DynamoDB::Table":        {"dynamodb:" + here + "table/", "TableName", ""},
		"AWS::SecretsManager::Secret": {"secretsmanager:" + here + "secret:", "", ""},
	} {
		properties, ok := s.ofType(kind)[id]
		if !ok {
			continue
		}
		name, given := properties[arn.name].(string)
		switch {
		case !given && kind == "AWS::SecretsManager::Secret":
			name = id + "*" // without the stack's name
		case !given:
			name = "lorehook-" + id + "*"
		}
		return "arn:aws:" + arn.before + name + arn.after
	}
	t.Fatalf("no resource %s", reference)
	return ""
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
	for id, name := range map[string]string{"ReaderPolicy": "reader", "OperatorPolicy": "operator", "OncallPolicy": "oncall"} {
		got := policyOf(t, onAWS(t), id)
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
		"lorehook-oncall-${AWS::Region}", "lorehook-oncall-us-east-1", "lorehook-operator-${AWS::Region}", "lorehook-operator-us-east-1",
		"lorehook-reader-${AWS::Region}", "lorehook-reader-us-east-1", "team-a-oncall-eu-central-1", "team-a-operator-eu-central-1", "team-a-reader-eu-central-1",
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
	return union(found)
}

// actions are those of a policy in the docs.
func (p policyDocument) actions() []string {
	var all []string
	for _, s := range p.Statement {
		all = append(all, s.Action...)
	}
	return union(all)
}

// IAM counts the characters of a managed policy without spaces. This is the longest that a
// stack can have: names, region and the generated parts are longer than in the docs.
func TestCallerPolicies_AreNoLongerThanIAMAllows(t *testing.T) {
	const limit = 6144
	longest := strings.NewReplacer("REGION", "ap-southeast-1", "ACCOUNT", strings.Repeat("1", 12), "API_ID", strings.Repeat("a", 10),
		"function:lorehook-*", "function:"+strings.Repeat("s", 40)+"-.", "lorehook", strings.Repeat("s", 40), "event-source-mapping:*", "event-source-mapping:"+strings.Repeat("-", 36),
		"*:*", strings.Repeat("g", 21)+":*", "Schedule*", "Schedule"+strings.Repeat("g", 21), "Secret*", "Secret"+strings.Repeat("g", 20),
		`*"`, strings.Repeat("g", 22)+`"`)
	for _, c := range access.Callers() {
		p := documented(t, c.Name)
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if length := len(longest.Replace(string(text))); length > limit {
			t.Errorf("%s has up to %d characters, IAM allows %d", c.Name, length, limit)
		}
	}
}

// byOthers says who runs the commands of docs/deploy.md and docs/runbooks that neither an
// operator nor a person on call may run.
func byOthers() map[string]string {
	return map[string]string{
		"cloudformation:GetTemplateSummary":  "deployer",
		"iam:AttachRolePolicy":               "administrator",
		"sns:CreateTopic":                    "administrator",
		"sns:Subscribe":                      "administrator",
		"dynamodb:CreateBackup":              "administrator",
		"dynamodb:RestoreTableFromBackup":    "administrator",
		"dynamodb:RestoreTableToPointInTime": "administrator",
	}
}

// commanded are the actions of the commands of the AWS CLI in the files, within text and in
// blocks.
func commanded(t *testing.T, files ...string) (actions []string) {
	t.Helper()
	command := regexp.MustCompile(`\baws ([a-z][a-z0-9]+) ([a-z]+(?:-[a-z]+)*)`)
	for _, file := range files {
		for _, m := range command.FindAllStringSubmatch(read(t, file), -1) {
			actions = append(actions, actionsOf(m[1], m[2])...)
		}
	}
	return union(actions)
}

// commandedByCallers are those of the actions that are not [byOthers].
func commandedByCallers(t *testing.T, files ...string) []string {
	t.Helper()
	return slices.DeleteFunc(commanded(t, files...), func(action string) bool { return byOthers()[action] != "" })
}

// actionsOf are the actions of IAM that a command of the AWS CLI needs.
func actionsOf(service, command string) []string {
	if service == "stepfunctions" {
		service = "states"
	}
	actions := []string{service + ":" + pascal(strings.ReplaceAll(command, "-", "_"))}
	if command == "start-message-move-task" {
		actions = append(actions, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage")
	}
	return actions
}

// union are the elements of all lists, sorted.
func union(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

func TestPolicies_AllowWhatTheCodeCallsAndTheDocsCommand(t *testing.T) {
	const guide = "../docs/deploy.md"
	var ofDeployer []string
	for action, who := range byOthers() {
		if who == "deployer" {
			ofDeployer = append(ofDeployer, action)
		}
	}
	runbooks := commandedByCallers(t, allRunbooks(t)...)
	for name, want := range map[string][]string{
		// The CDK CLI takes its roles, and reads which version its bootstrap has.
		"deployer": union([]string{"sts:AssumeRole", "ssm:GetParameter"}, calls(t, "../scripts/deploy"), ofDeployer),
		"operator": union([]string{access.InvokeAPI}, calls(t, "../internal/cli"), commandedByCallers(t, guide)),
	} {
		if diff := cmp.Diff(want, documented(t, name).actions()); diff != "" {
			t.Errorf("%s (-needed +docs/policies):\n%s", name, diff)
		}
	}
	operator, oncall := documented(t, "operator").actions(), documented(t, "oncall").actions()
	for _, action := range runbooks {
		if !slices.Contains(operator, action) && !slices.Contains(oncall, action) {
			t.Errorf("a runbook needs %s, which neither operator nor oncall may", action)
		}
	}
	for _, action := range oncall {
		if !slices.Contains(runbooks, action) {
			t.Errorf("oncall may %s, which no runbook needs", action)
		}
	}
}

func TestByOthers_HasOnlyWhatTheDocsCommand(t *testing.T) {
	all := commanded(t, append(allRunbooks(t), "../docs/deploy.md")...)
	for action, who := range byOthers() {
		if !slices.Contains(all, action) {
			t.Errorf("no document has a command with which the %s calls %s", who, action)
		}
	}
}
