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
	"github.com/google/go-cmp/cmp/cmpopts"

	"gitlab.com/lorehook/lorehook/infra/access"
)

var update = flag.Bool("update", false, "rewrite reader.json, operator.json and oncall.json in docs/policies")

// statement is one of a policy in docs/policies.
type statement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

type policyDocument struct {
	Version   string
	Statement []statement
}

// policyOf is a managed policy of the template with placeholders for what differs
// between stacks.
func policyOf(t *testing.T, s stackTemplate, id string) policyDocument {
	t.Helper()
	document := filled(t, s, s.ofType("AWS::IAM::ManagedPolicy")[id]["PolicyDocument"], inDocs()).(map[string]any)
	p := policyDocument{Version: document["Version"].(string)}
	for _, o := range objects(document["Statement"]) {
		// All mappings have one placeholder.
		one := statement{Effect: o["Effect"].(string), Action: texts(o["Action"]), Resource: slices.Compact(texts(o["Resource"]))}
		one.Condition = conditionOf(o["Condition"])
		p.Statement = append(p.Statement, one)
	}
	return p
}

// conditionOf is the condition of a statement of a template, nil if it has none.
func conditionOf(v any) map[string]map[string][]string {
	operators, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	condition := map[string]map[string][]string{}
	for operator, keys := range operators {
		condition[operator] = map[string][]string{}
		for key, values := range keys.(map[string]any) {
			condition[operator][key] = texts(values)
		}
	}
	return condition
}

// filling is what a policy of a template has for what only AWS knows.
type filling struct {
	partition, region, account, api, stack string
	// stackID and mapping are generated. name is the generated end of a name, and
	// secret that of the name of a secret with the end of its ARN.
	stackID, mapping, name, secret string
}

// inDocs is the filling of docs/policies.
func inDocs() filling {
	return filling{partition: "aws", region: "REGION", account: "ACCOUNT", api: "API_ID", stack: "lorehook", stackID: "*", mapping: "*", name: "*", secret: "*"}
}

// filled is a resolved part of a policy with its references to resources, such as
// Requests.Arn, replaced by their ARNs.
func filled(t *testing.T, s stackTemplate, part any, f filling) any {
	t.Helper()
	switch part := part.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, v := range part {
			m[k] = filled(t, s, v, f)
		}
		return m
	case []any:
		var list []any
		for _, v := range part {
			list = append(list, filled(t, s, v, f))
		}
		return list
	case string:
		here := strings.NewReplacer("${AWS::StackId}", "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/"+f.stack+"/"+f.stackID, ":HttpApi/", ":"+f.api+"/")
		generic := strings.NewReplacer("${AWS::Partition}", f.partition, "${AWS::Region}", f.region, "${AWS::AccountId}", f.account)
		return generic.Replace(here.Replace(arnOf(t, s, part, f)))
	default:
		return part
	}
}

// arnOf is the ARN of the resource that a text of a policy refers to, or the text.
func arnOf(t *testing.T, s stackTemplate, text string, f filling) string {
	t.Helper()
	id, attribute, isReference := strings.Cut(text, ".")
	if !isReference || attribute != "Arn" && attribute != "Id" {
		mapping := regexp.MustCompile(`:event-source-mapping:\w+$`)
		return mapping.ReplaceAllString(text, ":event-source-mapping:"+f.mapping) // AWS generates all of it
	}
	const here = "${AWS::Region}:${AWS::AccountId}:"
	for kind, arn := range map[string]struct{ before, name, after string }{
		"AWS::Lambda::Function":       {"lambda:" + here + "function:", "FunctionName", ""},
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
			name = id + f.secret // without the stack's name
		case !given:
			name = f.stack + "-" + id + f.name
		}
		return "arn:${AWS::Partition}:" + arn.before + name + arn.after
	}
	t.Fatalf("no resource %s", text)
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

// whoAmI is an action that AWS lets everybody do.
const whoAmI = "sts:GetCallerIdentity"

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
			if action := strings.Replace(m[1], "cloudwatchlogs", "logs", 1) + ":" + m[2]; action != whoAmI {
				found = append(found, action)
			}
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

// partitions are those of AWS, with the longest name of a Region of each.
func partitions() map[string]string {
	return map[string]string{
		"aws": "ap-southeast-1", "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1", "aws-eusc": "eusc-de-east-1",
		"aws-iso": "us-iso-east-1", "aws-iso-b": "us-isob-east-1", "aws-iso-e": "eu-isoe-west-1", "aws-iso-f": "us-isof-south-1",
	}
}

// IAM counts the characters of a managed policy without spaces.
func TestManagedPolicies_AreNoLongerThanIAMAllows(t *testing.T) {
	const limit = 6144
	s := onLongest(t)
	policies := s.ofType("AWS::IAM::ManagedPolicy")
	if len(policies) != len(access.Callers()) || len(s.ofType("AWS::SecretsManager::Secret")) != 3 {
		t.Fatalf("%d policies for %d callers, %d secrets of 3", len(policies), len(access.Callers()), len(s.ofType("AWS::SecretsManager::Secret")))
	}
	// The CDK appends 8 characters to a resource's id, CloudFormation a hyphen and up to
	// 13 to a name, and Secrets Manager a hyphen and 6 to an ARN.
	generated := strings.Repeat("g", 8+1+13)
	for partition, region := range partitions() {
		f := filling{
			partition: partition, region: region, account: strings.Repeat("1", 12), api: strings.Repeat("a", 10), stack: longestName,
			stackID: strings.Repeat("i", 36), mapping: strings.Repeat("m", 36), name: generated, secret: generated + strings.Repeat("g", 1+6),
		}
		for id, p := range policies {
			text, err := json.Marshal(filled(t, s, p["PolicyDocument"], f))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s in %s: %d characters", id, region, len(text))
			if len(text) > limit || strings.Contains(string(text), "${") {
				t.Errorf("%s in %s has up to %d characters, IAM allows %d: %s", id, region, len(text), limit, text)
			}
		}
	}
}

// An update of a mapping may name another function.
func TestOncall_MayLetMappingsStartOnlyWhatMappingsStart(t *testing.T) {
	s := onAWS(t)
	var started []string
	for _, m := range s.ofType("AWS::Lambda::EventSourceMapping") {
		started = append(started, m["FunctionName"].(string)+".Arn")
	}
	want := map[string]map[string][]string{"ArnEquals": {"lambda:FunctionArn": union(started)}}
	statements := 0
	for _, o := range objects(s.ofType("AWS::IAM::ManagedPolicy")["OncallPolicy"]["PolicyDocument"].(map[string]any)["Statement"]) {
		if !slices.Contains(texts(o["Action"]), "lambda:UpdateEventSourceMapping") {
			continue
		}
		statements++
		if diff := cmp.Diff(want, conditionOf(o["Condition"]), cmpopts.SortSlices(strings.Compare)); diff != "" {
			t.Errorf("condition (-want +got):\n%s", diff)
		}
		if len(texts(o["Resource"])) != len(s.ofType("AWS::Lambda::EventSourceMapping")) {
			t.Errorf("mappings %v", o["Resource"])
		}
	}
	if statements != 1 {
		t.Errorf("%d statements", statements)
	}
}

// byOthers says who runs the commands of docs/deploy.md and docs/runbooks that neither an
// operator nor a person on call may run. Those of docs/restoring.md are an administrator's.
func byOthers() map[string]string {
	return map[string]string{
		"cloudformation:GetTemplateSummary": "deployer",
		"iam:AttachRolePolicy":              "administrator",
		"sns:CreateTopic":                   "administrator",
		"sns:Subscribe":                     "administrator",
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
	if actions[0] == whoAmI {
		return nil
	}
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
