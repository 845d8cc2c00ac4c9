package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestThePrivateVariantHasNoFindings(t *testing.T) {
	for _, finding := range inPrivate(t).Findings {
		t.Error(finding)
	}
}

// The functions that do not call GitLab would lose the public internet in a VPC, and
// gain nothing.
func TestOnlyWhatCallsGitLabJoinsTheVPC(t *testing.T) {
	s := inPrivate(t)
	want := map[string]any{"SubnetIds": []any{"subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"}, "SecurityGroupIds": []any{"sg-0cccccccccccccccc"}}
	for name, f := range s.ofType("AWS::Lambda::Function") {
		var wanted any
		if name == "WorkerFunction" || name == "CrawlerFunction" {
			wanted = want
		}
		if diff := cmp.Diff(wanted, f["VpcConfig"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	const allowed = "ec2:CreateNetworkInterface ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:DeleteNetworkInterface ec2:AssignPrivateIpAddresses ec2:UnassignPrivateIpAddresses"
	effects := map[string]any{}
	for name, policy := range s.ofType("AWS::IAM::Policy") {
		document, _ := policy["PolicyDocument"].(map[string]any)
		for _, statement := range objects(document["Statement"]) {
			actions := strings.Join(texts(statement["Action"]), " ")
			if !strings.Contains(actions, "ec2:") {
				continue
			}
			if actions != allowed {
				t.Errorf("%s: %s", name, actions)
			}
			effects[fmt.Sprint(name, " ", statement["Effect"])] = statement["Condition"]
		}
	}
	// Lambda connects the function with its role; its own code must not.
	denied := map[string]any{}
	for id, function := range map[string]string{"Worker": "worker", "Crawler": "crawler"} {
		denied[id+"RoleDefaultPolicy Allow"] = nil
		denied[id+"RoleDefaultPolicy Deny"] = map[string]any{"ArnEquals": map[string]any{
			"lambda:SourceFunctionArn": "arn:${AWS::Partition}:lambda:eu-central-1:123456789012:function:lorehook-" + function,
		}}
	}
	if diff := cmp.Diff(denied, effects); diff != "" {
		t.Errorf("statements on network interfaces (-want +got):\n%s", diff)
	}
}

func TestTheCABundleIsPartOfTheCodeThatCallsGitLab(t *testing.T) {
	s := inPrivate(t)
	for id, files := range map[string]struct{ with, without []string }{
		"Worker": {s.WorkerFiles, onAWS(t).WorkerFiles}, "Crawler": {s.CrawlerFiles, onAWS(t).CrawlerFiles},
	} {
		if diff := cmp.Diff([]string{"bootstrap", "gitlab-ca.pem"}, files.with); diff != "" {
			t.Errorf("the files of %s (-want +got):\n%s", id, diff)
		}
		if got := environment(s, id)["LOREHOOK_GITLAB_CA_FILE"]; got != "${LAMBDA_TASK_ROOT}/gitlab-ca.pem" {
			t.Errorf("%s looks for it in %q", id, got)
		}
		if diff := cmp.Diff([]string{"bootstrap"}, files.without); diff != "" {
			t.Errorf("%s without a bundle (-want +got):\n%s", id, diff)
		}
	}
}

func TestABadCABundleIsRefusedAtSynthesis(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	expired, err := testCA(time.Now().AddDate(-1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ file, says string }{
		"missing": {filepath.Join(dir, "none.pem"), "no such file"},
		"empty":   {write("empty.pem", nil), "no certificate"},
		"expired": {write("old.pem", expired), "is valid from"},
		"a key":   {write("key.pem", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")), "PRIVATE KEY"},
	} {
		_, _, err := readSettings(given(map[string]any{"gitlabCaBundle": c.file}), noEnvironment)
		if err == nil || !strings.Contains(err.Error(), "gitlabCaBundle") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
	}
}

func TestTheWebhookReservesConcurrencyOnlyIfAsked(t *testing.T) {
	for name, f := range inPrivate(t).ofType("AWS::Lambda::Function") {
		var want any
		if name == "WebhookFunction" {
			want = 20.0
		}
		if f["ReservedConcurrentExecutions"] != want {
			t.Errorf("%s reserves %v, want %v", name, f["ReservedConcurrentExecutions"], want)
		}
	}
}

func TestContentIsWarmedOnlyIfAsked(t *testing.T) {
	for name, table := range inPrivate(t).ofType("AWS::DynamoDB::Table") {
		var want any
		if name == "Content" {
			want = map[string]any{"WriteUnitsPerSecond": 12000.0}
		}
		if diff := cmp.Diff(want, table["WarmThroughput"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// projectIDs are n ids of eight digits.
func projectIDs(n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint(10_000_000 + i)
	}
	return strings.Join(ids, ",")
}

const projectsThatFit = 220

func TestAnEnvironmentThatLambdaWouldRefuseIsRefusedAtSynthesis(t *testing.T) {
	const tooMany = 450
	if got := environment(inPrivate(t), "Worker")["LOREHOOK_PROJECTS"]; got != projectIDs(projectsThatFit) {
		t.Errorf("of %d projects, the worker is told of %d bytes", projectsThatFit, len(got))
	}
	_, err := synthesize(map[string]any{"projects": projectIDs(tooMany)})
	if err == nil || !strings.Contains(err.Error(), "the function worker") || !strings.Contains(err.Error(), "4096") || !strings.Contains(err.Error(), "projects") {
		t.Errorf("%d projects: %v", tooMany, err)
	}
}

// names are the fixed names of a template's resources, by kind: what two stacks of
// one account must not share.
func (s stackTemplate) names() map[string][]string {
	found := map[string][]string{}
	for _, r := range s.Resources {
		if r.Type == "AWS::IAM::Policy" {
			continue // part of its role
		}
		properties, _ := resolve(r.Properties).(map[string]any)
		for key, value := range properties {
			name, ok := value.(string)
			if !ok || !strings.HasSuffix(key, "Name") && key != "Name" {
				continue
			}
			// Names of others, and of parts of a resource.
			if slices.Contains([]string{"FunctionName", "LogGroupName", "StageName", "MetricName"}, key) && !definesName(r.Type, key) {
				continue
			}
			found[r.Type] = append(found[r.Type], name)
		}
	}
	for _, names := range found {
		slices.Sort(names)
	}
	return found
}

// definesName reports whether the property is the name of the resource itself.
func definesName(kind, property string) bool {
	return kind == "AWS::Lambda::Function" && property == "FunctionName" || kind == "AWS::Logs::LogGroup" && property == "LogGroupName"
}

// Two stacks in one account: other names in the same region, and the same name in
// another region, where only global names matter.
func TestTwoStacksShareNoName(t *testing.T) {
	frankfurt, other, virginia := onOpenAI(t).names(), inPrivate(t).names(), onLocal(t).names()
	for _, kind := range []string{"AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::CloudWatch::Dashboard", "AWS::CloudWatch::Alarm", "AWS::StepFunctions::StateMachine", "AWS::Logs::LogGroup"} {
		if len(frankfurt[kind]) == 0 {
			t.Errorf("no %s has a name: nothing was compared", kind)
		}
	}
	equal := func(a, b map[string][]string, kinds ...string) {
		for kind, names := range a {
			if len(kinds) > 0 && !slices.Contains(kinds, kind) {
				continue
			}
			for _, name := range names {
				if slices.Contains(b[kind], name) {
					t.Errorf("two stacks have the %s %s", kind, name)
				}
			}
		}
	}
	equal(frankfurt, other)
	// The kinds of this template whose names are global in an account. Roles have
	// none of their own. The account of the local stack is another, and part of no
	// such name.
	equal(other, virginia, "AWS::CloudWatch::Dashboard", "AWS::IAM::Role")
	if diff := cmp.Diff(map[string][]string{"other": {"lorehook-eu-central-1"}, "virginia": {"lorehook-us-east-1"}},
		map[string][]string{"other": other["AWS::CloudWatch::Dashboard"], "virginia": virginia["AWS::CloudWatch::Dashboard"]}); diff != "" {
		t.Errorf("dashboards (-want +got):\n%s", diff)
	}
	if len(frankfurt["AWS::IAM::Role"]) > 0 {
		t.Errorf("roles have fixed names: %v", frankfurt["AWS::IAM::Role"])
	}
}

func TestLogsThatServicesDeliverNeedNoResourcePolicy(t *testing.T) {
	want := map[string]string{"AccessLogs": "/aws/vendedlogs/apigateway/lorehook-access", "WorkflowLogs": "/aws/vendedlogs/states/lorehook-workflow"}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		for id, group := range s.ofType("AWS::Logs::LogGroup") {
			name, _ := group["LogGroupName"].(string)
			if wanted := want[id]; !strings.HasPrefix(strings.Replace(name, "team-a", "lorehook", 1), wanted) || (name == "") != (wanted == "") {
				t.Errorf("%s is named %q, want %q", id, name, wanted)
			}
		}
		if policies := s.ofType("AWS::Logs::ResourcePolicy"); len(policies) > 0 {
			t.Errorf("resource policies: %v", policies)
		}
	})
}

// EventBridge's own retries end when Lambda has accepted the event. The builder is started by
// the indexer, which has a schedule.
func TestAScheduledInvocationIsNeitherRepeatedNorKept(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		var scheduled []string
		for _, config := range s.ofType("AWS::Lambda::EventInvokeConfig") {
			if config["MaximumRetryAttempts"] != 0.0 || config["MaximumEventAgeInSeconds"] != 60.0 || config["Qualifier"] != "$LATEST" {
				t.Errorf("%v", config)
			}
			scheduled = append(scheduled, config["FunctionName"].(string))
		}
		targets := []string{"BuilderFunction"}
		for _, rule := range s.ofType("AWS::Events::Rule") {
			for _, target := range objects(rule["Targets"]) {
				targets = append(targets, strings.TrimSuffix(target["Arn"].(string), ".Arn"))
			}
		}
		slices.Sort(targets)
		slices.Sort(scheduled)
		if diff := cmp.Diff(targets, scheduled); diff != "" {
			t.Errorf("functions (-scheduled +configured):\n%s", diff)
		}
	})
}
