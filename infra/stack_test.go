package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// AwsSolutions and Serverless of cdk-nag, with nothing left open.
func TestSynthesisFindsNothing(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		for _, finding := range s.Findings {
			t.Error(finding)
		}
	})
}

func TestSynthesisWouldFindABadQueue(t *testing.T) {
	s := existing(t)
	for _, rule := range []string{"AwsSolutions-SQS3", "AwsSolutions-SQS4", "Serverless-SQSRedrivePolicy"} {
		if !slices.ContainsFunc(s.Findings, func(f string) bool { return strings.Contains(f, rule) }) {
			t.Errorf("a queue without dead letters and TLS: no %s in %q", rule, s.Findings)
		}
	}
}

// What cdk-nag may overlook, and on which resources: a new entry is a decision.
func TestEverySuppressionIsListedAndHasAReason(t *testing.T) {
	roles := []string{"AbortRole", "ApiRole", "BuilderRole", "CrawlerRole", "DocsRole", "EmbedRole", "FeedRole", "FinishRole", "IndexerRole", "SearchRole", "SweeperRole", "WebhookRole", "WidgetRole", "WorkerRole", "WorkflowRole"}
	always := map[string][]string{
		"AwsSolutions-APIG4": {"HttpApiGEThealthz", "HttpApiGETopenapijson", "HttpApiPOSTwebhooksgitlab", "HttpApiPOSTwebhooksproxy"},
		"AwsSolutions-IAM5":  slices.Sorted(slices.Values(append([]string{"OncallPolicy", "OperatorPolicy", "ReaderPolicy"}, roles...))),
		"AwsSolutions-S1":    {"IndexBucket"},
		"AwsSolutions-SF1":   {"Workflow"},
		"AwsSolutions-SMG4":  {"GitLabTokenSecret", "WebhookSecret"},
		"AwsSolutions-SQS3":  {"FeedFailures"},

		"Serverless-EventBusDLQ":                         {"CrawlerSchedule", "IndexerSchedule", "SweeperSchedule"},
		"Serverless-LambdaAsyncFailureDestination":       {"BuilderFunction", "CrawlerFunction", "IndexerFunction", "SweeperFunction"},
		"Serverless-LambdaDLQ":                           {"AbortFunction", "ApiFunction", "BuilderFunction", "CrawlerFunction", "DocsFunction", "EmbedFunction", "FeedFunction", "FinishFunction", "IndexerFunction", "SearchFunction", "SweeperFunction", "WebhookFunction", "WidgetFunction", "WorkerFunction"},
		"Serverless-LambdaEventSourceMappingDestination": {"BulkMapping", "FeedFailuresMapping", "HidesMapping", "RequestsMapping"},
		"Serverless-LambdaTracing":                       {"BuilderFunction", "CrawlerFunction", "IndexerFunction", "SweeperFunction"},
		"Serverless-SQSRedrivePolicy":                    {"DeadLetters", "FeedFailures"},
	}
	want := map[string]map[string][]string{
		"aws": always,
		"local": with(always, map[string][]string{
			"AwsSolutions-APIG4": {"HttpApiANYv1proxy", "HttpApiGEThealthz", "HttpApiGETopenapijson", "HttpApiPOSTwebhooksgitlab", "HttpApiPOSTwebhooksproxy"},
			"AwsSolutions-S10":   {"IndexBucket"},
			"AwsSolutions-SQS4":  {"Bulk", "DeadLetters", "FeedFailures", "Hides", "Requests"},
		}),
		"openai": with(always, map[string][]string{"AwsSolutions-SMG4": {"EmbedderApiKeySecret", "GitLabTokenSecret", "WebhookSecret"}}),
	}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		got := map[string][]string{}
		for id, r := range s.Resources {
			for _, suppressed := range r.Metadata.Nag.Suppressions {
				if len(strings.Fields(suppressed.Reason)) < 5 {
					t.Errorf("%s on %s has no reason worth the name: %q", suppressed.ID, id, suppressed.Reason)
				}
				if suppressed.ID == "AwsSolutions-IAM5" && !slices.Equal(suppressed.AppliesTo, []string{"Resource::*"}) && !ofIndex(id, suppressed.AppliesTo) && r.Type != "AWS::IAM::ManagedPolicy" { // those are in docs/policies
					t.Errorf("AwsSolutions-IAM5 on %s applies to %q: more than X-Ray, log delivery and the objects of the index need", id, suppressed.AppliesTo)
				}
				// A suppression reaches the construct's children too.
				switch r.Type {
				case "AWS::IAM::Policy", "AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig", "AWS::ApiGatewayV2::Integration", "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy":
				default:
					got[suppressed.ID] = append(got[suppressed.ID], readable(id))
				}
			}
		}
		for id, names := range got {
			slices.Sort(names)
			got[id] = slices.Compact(names)
		}
		_, variant, _ := strings.Cut(t.Name(), "/")
		if diff := cmp.Diff(want[variant], got); diff != "" {
			t.Errorf("suppressions (-want +got):\n%s", diff)
		}
	})
}

// ofIndex reports whether what is suppressed on the role is only that objects of the
// index, or indexes in OpenSearch, have no fixed names.
func ofIndex(id string, appliesTo []string) bool {
	return len(appliesTo) == 1 && (strings.HasPrefix(id, "IndexerRole") || strings.HasPrefix(id, "BuilderRole") || strings.HasPrefix(id, "SearchRole")) &&
		(strings.HasPrefix(appliesTo[0], "Resource::<IndexBucket") && strings.HasSuffix(appliesTo[0], ".Arn>/*") ||
			strings.Contains(appliesTo[0], ":es:") && strings.HasSuffix(appliesTo[0], "-search*"))
}

func TestLogsAreKeptForTheConfiguredTime(t *testing.T) {
	want := map[string]float64{"aws": 30, "local": 30, "openai": 90}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		groups := s.ofType("AWS::Logs::LogGroup")
		for _, needed := range []string{"AbortLogs", "AccessLogs", "ApiLogs", "BuilderLogs", "CrawlerLogs", "DocsLogs", "EmbedLogs", "FeedLogs", "FinishLogs", "IndexerLogs", "SearchLogs", "SweeperLogs", "WebhookLogs", "WidgetLogs", "WorkerLogs", "WorkflowLogs"} {
			if groups[needed] == nil {
				t.Errorf("no log group %s: AWS would make one that never forgets", needed)
			}
		}
		_, variant, _ := strings.Cut(t.Name(), "/")
		for name, group := range groups {
			if group["RetentionInDays"] != want[variant] {
				t.Errorf("%s is kept for %v days, want %v", name, group["RetentionInDays"], want[variant])
			}
		}
	})
}

func TestSweeperCrawlerAndIndexerStartAgainAndAgain(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		for id, every := range map[string]string{"Sweeper": "1 minute", "Crawler": "1 minute", "Indexer": "5 minutes"} {
			name := strings.ToLower(id)
			want := map[string]any{
				"Description": "Lorehook: starts the " + name, "ScheduleExpression": "rate(" + every + ")", "State": "ENABLED",
				"Targets": []any{map[string]any{"Arn": id + "Function.Arn", "Id": "Target0", "RetryPolicy": map[string]any{"MaximumRetryAttempts": 0.0}}},
			}
			if diff := cmp.Diff(want, s.ofType("AWS::Events::Rule")[id+"Schedule"]); diff != "" {
				t.Errorf("%s: schedule (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestSecretsHoldNoRealValue(t *testing.T) {
	want := map[string]string{"WebhookSecret": `{"signing_tokens":"","secret_tokens":""}`, "GitLabTokenSecret": "unset"}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		want := maps.Clone(want)
		if strings.HasSuffix(t.Name(), "/openai") {
			want["EmbedderApiKeySecret"] = "unset"
		}
		got := map[string]string{}
		for name, properties := range s.ofType("AWS::SecretsManager::Secret") {
			got[name], _ = properties["SecretString"].(string)
			if properties["Name"] != nil {
				t.Errorf("%s has the fixed name %v: a deleted secret blocks its name for weeks", name, properties["Name"])
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("secrets (-want +got):\n%s", diff)
		}
		verifier, err := delivery.ParseVerifier(got["WebhookSecret"])
		if err != nil || !errors.Is(verifier.Verify(nil, nil, time.Time{}), delivery.ErrNoTokens) {
			t.Errorf("the webhook function reads the placeholder as %v, %v; want no tokens", verifier, err)
		}
	})
}

// Operators, the demo, the tests of the deployed stack and the CLI find things
// by these names.
func TestOutputsNameWhatIsLookedFor(t *testing.T) {
	want := map[string]string{
		"WebhookUrl": "HttpApi.ApiEndpoint/webhooks/gitlab", "ApiUrl": "HttpApi.ApiEndpoint", "HttpApiId": "HttpApi",
		"RequestsQueueUrl": "Requests", "HidesQueueUrl": "Hides", "BulkQueueUrl": "Bulk", "DeadLetterQueueUrl": "DeadLetters",
		"WebhookSecretId": "WebhookSecret.Id", "GitLabTokenSecretId": "GitLabTokenSecret.Id",
		"StateMachineArn": machineARN("lorehook"),
	}
	for _, table := range tables.All() {
		want[pascal(table.Name)+"Table"] = pascal(table.Name)
	}
	for _, f := range []string{"Webhook", "Worker", "Docs", "Embed", "Finish", "Abort", "Sweeper", "Crawler", "Api", "Widget", "Indexer", "Builder", "Search"} {
		want[f+"FunctionName"] = f + "Function"
	}
	s := onAWS(t)
	for name, value := range want {
		if got := resolve(s.Outputs[name].Value); got != value {
			t.Errorf("output %s is %v, want %s", name, got, value)
		}
	}
	if got := resolve(onOpenAI(t).Outputs["EmbedderApiKeySecretId"].Value); got != "EmbedderApiKeySecret.Id" {
		t.Errorf("output EmbedderApiKeySecretId is %v", got)
	}
}

// The CDK repeats a failed creation by deleting the stack: until it exists, it
// must not be protected.
func TestTheStackIsProtectedOnceItExists(t *testing.T) {
	existing := existing(t)
	got := map[string]bool{"new": onAWS(t).TerminationProtected, "existing": existing.TerminationProtected}
	if diff := cmp.Diff(map[string]bool{"new": false, "existing": true}, got); diff != "" {
		t.Errorf("termination protection (-want +got):\n%s", diff)
	}
	resources := maps.Clone(existing.Resources)
	maps.DeleteFunc(resources, func(id string, _ resource) bool { return readable(id) == badQueue })
	if diff := cmp.Diff(onAWS(t).Resources, resources); diff != "" {
		t.Errorf("the template differs, too (-new +existing):\n%s", diff)
	}
}

func TestTheTemplateRecordsTheEffectiveSettings(t *testing.T) {
	got := onOpenAI(t).Metadata.Lorehook
	if got.Given["projects"] != "7, 8" || got.Given["stackName"] != "team-a" || got.Default["tracing"] != "active" || got.Given["tracing"] != "" {
		t.Errorf("%+v", got)
	}
}

// Two stacks fit one account: every fixed name begins with the stack's.
func TestFixedNamesBeginWithTheStackName(t *testing.T) {
	vended := regexp.MustCompile(`^/aws/vendedlogs/[a-z]+/`)
	for id, r := range onOpenAI(t).Resources {
		for _, key := range []string{"QueueName", "FunctionName", "StateMachineName", "TableName", "RoleName", "LogGroupName", "DashboardName", "AlarmName", "TopicName", "ManagedPolicyName"} {
			if name, ok := r.Properties[key].(string); ok && name != "team-a" && !strings.HasPrefix(vended.ReplaceAllString(name, ""), "team-a-") {
				t.Errorf("%s: %s %q", id, key, name)
			}
		}
	}
}

// machineARN is the state machine's, in a template for any account.
func machineARN(stackName string) string {
	return fmt.Sprintf("arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:%s-workflow", stackName)
}

// with returns a copy of base in which the entries of changes replace others.
func with[V any](base, changes map[string]V) map[string]V {
	all := maps.Clone(base)
	maps.Copy(all, changes)
	return all
}
