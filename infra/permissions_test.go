package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// grants are what a role may do: by resource, the actions, sorted.
type grants map[string]string

// traced is what each function's role may do beside its own table: X-Ray takes
// no resource.
func traced(id string, own grants) grants {
	return with(own, grants{
		"*":             "xray:PutTelemetryRecords xray:PutTraceSegments",
		id + "Logs.Arn": "logs:CreateLogStream logs:PutLogEvents",
	})
}

func dynamodb(actions ...string) string {
	slices.Sort(actions)
	return "dynamodb:" + strings.Join(actions, " dynamodb:")
}

// wantGrants is every permission of the stack on AWS with all defaults.
func wantGrants() map[string]grants {
	const (
		send   = "sqs:SendMessage"
		take   = "sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage"
		start  = "states:StartExecution"
		read   = "secretsmanager:GetSecretValue"
		invoke = "lambda:InvokeFunction"
		model  = "arn:${AWS::Partition}:bedrock:${AWS::Region}::foundation-model/amazon.titan-embed-text-v2:0"
	)
	machine := machineARN("lorehook")
	closing := func(ofJobs ...string) grants {
		return grants{
			"SyncRuns.Arn":        dynamodb("GetItem", "UpdateItem"),
			"SyncRunEntities.Arn": dynamodb("PutItem"),
			"DependentQueue.Arn":  dynamodb(ofJobs...),
			"State.Arn":           dynamodb("PutItem"),
		}
	}
	return map[string]grants{
		"WebhookRole": traced("Webhook", grants{"Requests.Arn": send, "Hides.Arn": send, "WebhookSecret.Id": read}),
		"WorkerRole": traced("Worker", grants{
			// Workers delete no child.
			"Content.Arn":         dynamodb("BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "UpdateItem"),
			"SyncRuns.Arn":        dynamodb("BatchGetItem", "GetItem", "PutItem", "UpdateItem"),
			"SyncRunEntities.Arn": dynamodb("PutItem"),
			"DirtySources.Arn":    dynamodb("DeleteItem", "PutItem", "Query"),
			"DependentQueue.Arn":  dynamodb("GetItem", "PutItem"),
			"Projects.Arn":        dynamodb("BatchGetItem", "PutItem", "UpdateItem"),
			"State.Arn":           dynamodb("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"),
			"Requests.Arn":        take, "Hides.Arn": take, "Bulk.Arn": take, "DeadLetters.Arn": send,
			machine: start, "GitLabTokenSecret.Id": read,
		}),
		"DocsRole": traced("Docs", grants{
			"Content.Arn":         dynamodb("BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"),
			"SyncRuns.Arn":        dynamodb("GetItem", "UpdateItem"),
			"SyncRunEntities.Arn": dynamodb("PutItem"),
			"DirtySources.Arn":    dynamodb("DeleteItem"),
			"DependentQueue.Arn":  dynamodb("GetItem", "PutItem", "Query", "UpdateItem"),
			"State.Arn":           dynamodb("PutItem"),
			machine:               start, model: "bedrock:InvokeModel",
		}),
		"EmbedRole": traced("Embed", grants{
			"Content.Arn":        dynamodb("BatchGetItem", "ConditionCheckItem", "DeleteItem", "PutItem", "Query"),
			"SyncRuns.Arn":       dynamodb("GetItem", "UpdateItem"),
			"DirtySources.Arn":   dynamodb("DeleteItem"),
			"DependentQueue.Arn": dynamodb("GetItem", "Query", "UpdateItem"),
			"State.Arn":          dynamodb("PutItem"),
			machine:              start, model: "bedrock:InvokeModel",
		}),
		"FinishRole": traced("Finish", closing("Query")),
		"AbortRole":  traced("Abort", closing("Query", "UpdateItem")),
		"SweeperRole": traced("Sweeper", grants{
			"Content.Arn":                       dynamodb("BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"),
			"SyncRuns.Arn":                      dynamodb("GetItem", "PutItem", "UpdateItem"),
			"SyncRuns.Arn/index/runs_to_sweep":  dynamodb("Query"),
			"SyncRuns.Arn/index/runs_by_status": dynamodb("Query"),
			"SyncRunEntities.Arn":               dynamodb("PutItem"),
			"DirtySources.Arn":                  dynamodb("Query", "Scan"),
			"DependentQueue.Arn":                dynamodb("DeleteItem", "PutItem", "Query", "UpdateItem"),
			"Projects.Arn":                      dynamodb("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query"),
			"State.Arn":                         dynamodb("BatchGetItem", "GetItem", "PutItem"),
			"Requests.Arn":                      send, "Bulk.Arn": send, machine: start,
		}),
		"FeedRole": with(traced("Feed", grants{
			"Feed.Arn":            dynamodb("GetItem", "PutItem", "Query", "UpdateItem"),
			"Content.StreamArn":   dynamodb("DescribeStream", "GetRecords", "GetShardIterator"),
			"FeedFailures.Arn":    take + " " + send,
			"IndexerFunction.Arn": invoke,
		}), grants{"*": "dynamodb:ListStreams xray:PutTelemetryRecords xray:PutTraceSegments"}),
		"CrawlerRole": traced("Crawler", grants{
			// The crawler writes no content: its runs do.
			"Content.Arn":                              dynamodb("BatchGetItem"),
			"Content.Arn/index/heads_by_project":       dynamodb("Query"),
			"SyncRuns.Arn":                             dynamodb("BatchGetItem", "GetItem", "PutItem", "UpdateItem"),
			"SyncRunEntities.Arn":                      dynamodb("PutItem"),
			"SyncRunEntities.Arn/index/runs_by_entity": dynamodb("Query"),
			"Projects.Arn":                             dynamodb("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"),
			"State.Arn":                                dynamodb("GetItem", "UpdateItem"),
			"Bulk.Arn":                                 send, "Hides.Arn": send,
			"Feed.Arn":             dynamodb("UpdateItem"),
			"GitLabTokenSecret.Id": read,
		}),
		"ApiRole": traced("Api", grants{
			// The API writes content only to erase it.
			"Content.Arn":                              dynamodb("BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"),
			"Content.Arn/index/heads_by_project":       dynamodb("Query"),
			"Content.Arn/index/heads_by_update":        dynamodb("Query"),
			"SyncRuns.Arn":                             dynamodb("BatchGetItem", "GetItem", "PutItem", "UpdateItem"),
			"SyncRuns.Arn/index/runs_by_project":       dynamodb("Query"),
			"SyncRuns.Arn/index/runs_by_status":        dynamodb("Query"),
			"SyncRunEntities.Arn":                      dynamodb("PutItem", "Query"),
			"SyncRunEntities.Arn/index/runs_by_entity": dynamodb("Query"),
			"DependentQueue.Arn":                       dynamodb("GetItem", "Query", "UpdateItem"),
			"DirtySources.Arn":                         dynamodb("Query", "Scan"),
			"Projects.Arn":                             dynamodb("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"),
			"CrawlerFunction.Arn":                      invoke,
			"State.Arn":                                dynamodb("GetItem", "PutItem", "UpdateItem"),
			"Feed.Arn":                                 dynamodb("GetItem", "Query", "UpdateItem"),
			// The API sees how many messages all queues have.
			"Requests.Arn": "sqs:GetQueueAttributes " + send, "Hides.Arn": "sqs:GetQueueAttributes", "Bulk.Arn": "sqs:GetQueueAttributes",
			"DeadLetters.Arn": "sqs:GetQueueAttributes", "FeedFailures.Arn": "sqs:GetQueueAttributes",
			"SearchFunction.Arn":  invoke,
			"IndexerFunction.Arn": invoke,
		}),
		// Only a rebuild lists all entities.
		"IndexerRole": traced("Indexer", grants{
			"Content.Arn":         dynamodb("BatchGetItem", "GetItem", "Query"),
			"Projects.Arn":        dynamodb("BatchGetItem", "GetItem"),
			"State.Arn":           dynamodb("BatchGetItem", "GetItem", "PutItem"),
			"Feed.Arn":            dynamodb("GetItem", "Query"),
			"IndexBucket.Arn":     "s3:ListBucket",
			"IndexBucket.Arn/*":   "s3:DeleteObject s3:GetObject s3:PutObject",
			"BuilderFunction.Arn": invoke,
		}),
		"BuilderRole": traced("Builder", grants{
			"Content.Arn":                        dynamodb("BatchGetItem", "GetItem", "Query"),
			"Content.Arn/index/heads_by_project": dynamodb("Query"),
			"Projects.Arn":                       dynamodb("BatchGetItem", "GetItem", "Query"),
			"State.Arn":                          dynamodb("BatchGetItem", "GetItem", "PutItem"),
			"Feed.Arn":                           dynamodb("GetItem", "Query"),
			"IndexBucket.Arn":                    "s3:ListBucket",
			"IndexBucket.Arn/*":                  "s3:DeleteObject s3:GetObject s3:PutObject",
		}),
		"SearchRole": traced("Search", grants{
			"Content.Arn":       dynamodb("BatchGetItem", "GetItem"),
			"Projects.Arn":      dynamodb("BatchGetItem", "GetItem"),
			"State.Arn":         dynamodb("BatchGetItem", "GetItem"),
			"IndexBucket.Arn":   "s3:ListBucket",
			"IndexBucket.Arn/*": "s3:GetObject",
			model:               "bedrock:InvokeModel",
		}),
		"WidgetRole": traced("Widget", grants{
			// The widget reads the ledger, and nothing of the content.
			"SyncRuns.Arn":                             dynamodb("BatchGetItem", "GetItem"),
			"SyncRuns.Arn/index/runs_by_project":       dynamodb("Query"),
			"SyncRuns.Arn/index/runs_by_status":        dynamodb("Query"),
			"SyncRunEntities.Arn":                      dynamodb("BatchGetItem", "Query"),
			"SyncRunEntities.Arn/index/runs_by_entity": dynamodb("Query"),
			"DependentQueue.Arn":                       dynamodb("Query"),
			"DirtySources.Arn":                         dynamodb("Query"),
			"State.Arn":                                dynamodb("GetItem"),
			"Projects.Arn":                             dynamodb("BatchGetItem", "Query"),
		}),
		"WorkflowRole": {
			"DocsFunction.Arn": invoke, "EmbedFunction.Arn": invoke, "FinishFunction.Arn": invoke, "AbortFunction.Arn": invoke,
			// Neither X-Ray nor the delivery of logs takes a resource.
			"*": "logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies logs:GetLogDelivery " +
				"logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery " +
				"xray:GetSamplingRules xray:GetSamplingTargets xray:PutTelemetryRecords xray:PutTraceSegments",
		},
	}
}

func TestRolesMayDoExactlyWhatIsListed(t *testing.T) {
	if diff := cmp.Diff(wantGrants(), roleGrants(t, onAWS(t))); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
}

func TestOnlyEmbedderAndSearchEngineChangePermissions(t *testing.T) {
	openai := wantGrants()
	lexical := maps.Clone(openai)
	for _, role := range []string{"DocsRole", "EmbedRole", "SearchRole"} {
		maps.DeleteFunc(openai[role], func(_, actions string) bool { return strings.HasPrefix(actions, "bedrock:") })
		lexical[role] = maps.Clone(openai[role])
		openai[role]["EmbedderApiKeySecret.Id"] = "secretsmanager:GetSecretValue"
	}
	// Indexer and builder keep their rights on the bucket, which they empty.
	const indexes = "arn:${AWS::Partition}:es:eu-west-1:123456789012:domain/our-domain/team-a-search*"
	for _, role := range []string{"IndexerRole", "BuilderRole"} {
		openai[role] = with(openai[role], grants{indexes: "es:ESHttpDelete es:ESHttpGet es:ESHttpPost es:ESHttpPut"})
	}
	openai["SearchRole"] = with(openai["SearchRole"], grants{indexes: "es:ESHttpGet es:ESHttpPost"})
	maps.DeleteFunc(openai["SearchRole"], func(resource, _ string) bool { return strings.HasPrefix(resource, "IndexBucket") })
	for name, c := range map[string]struct {
		got     stackTemplate
		want    map[string]grants
		machine string
	}{
		"openai":  {onOpenAI(t), openai, "arn:${AWS::Partition}:states:eu-central-1:123456789012:stateMachine:team-a-workflow"},
		"lexical": {onLocal(t), lexical, "arn:${AWS::Partition}:states:us-east-1:000000000000:stateMachine:lorehook-workflow"},
	} {
		got := roleGrants(t, c.got)
		for _, g := range got {
			if actions, ok := g[c.machine]; ok {
				delete(g, c.machine)
				g[machineARN("lorehook")] = actions
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// roleGrants reads every policy. It refuses what the table cannot show: denials,
// conditions, exclusions, managed and inline policies.
func roleGrants(t *testing.T, s stackTemplate) map[string]grants {
	t.Helper()
	found := map[string]grants{}
	for name, role := range s.ofType("AWS::IAM::Role") {
		if role["ManagedPolicyArns"] != nil || role["Policies"] != nil {
			t.Errorf("%s has policies beside its own: %v %v", name, role["ManagedPolicyArns"], role["Policies"])
		}
	}
	for name, policy := range s.ofType("AWS::IAM::Policy") {
		roles := texts(policy["Roles"])
		if len(roles) != 1 {
			t.Fatalf("%s belongs to %v", name, roles)
		}
		actions := map[string][]string{}
		for _, statement := range objects(policy["PolicyDocument"].(map[string]any)["Statement"]) {
			for key := range statement {
				if !slices.Contains([]string{"Action", "Effect", "Resource"}, key) {
					t.Errorf("%s: a statement with %s", name, key)
				}
			}
			if statement["Effect"] != "Allow" {
				t.Errorf("%s: a statement with effect %v", name, statement["Effect"])
			}
			for _, r := range texts(statement["Resource"]) {
				actions[r] = append(actions[r], texts(statement["Action"])...)
			}
		}
		found[roles[0]] = grants{}
		for r, all := range actions {
			slices.Sort(all)
			found[roles[0]][r] = strings.Join(slices.Compact(all), " ")
		}
	}
	return found
}

func TestRolesAreAssumedByTheirServiceAlone(t *testing.T) {
	want := map[string]string{"WorkflowRole": "states.amazonaws.com"}
	for _, id := range functionIDs() {
		want[id+"Role"] = "lambda.amazonaws.com"
	}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		got := map[string]string{}
		for name, role := range s.ofType("AWS::IAM::Role") {
			for _, statement := range objects(role["AssumeRolePolicyDocument"].(map[string]any)["Statement"]) {
				principal, _ := statement["Principal"].(map[string]any)
				got[name] += strings.Join(texts(principal["Service"]), " ")
				if len(principal) != 1 {
					t.Errorf("%s: principal %v", name, principal)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("principals (-want +got):\n%s", diff)
		}
	})
}

// Who may invoke a function from outside the account's own policies.
func TestFunctionsAreInvokedByTheirOwnRoutesAndSchedule(t *testing.T) {
	const api = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:HttpApi/*/*"
	want := []string{
		"ApiFunction.Arn apigateway.amazonaws.com " + api + "/healthz",
		"ApiFunction.Arn apigateway.amazonaws.com " + api + "/openapi.json",
		"ApiFunction.Arn apigateway.amazonaws.com " + api + "/v1/{proxy+}",
		"CrawlerFunction.Arn events.amazonaws.com CrawlerSchedule.Arn",
		"IndexerFunction.Arn events.amazonaws.com IndexerSchedule.Arn",
		"SweeperFunction.Arn events.amazonaws.com SweeperSchedule.Arn",
		"WebhookFunction.Arn apigateway.amazonaws.com " + api + "/webhooks/gitlab",
		"WebhookFunction.Arn apigateway.amazonaws.com " + api + "/webhooks/{proxy+}",
	}
	var got []string
	for _, p := range onAWS(t).ofType("AWS::Lambda::Permission") {
		got = append(got, strings.Join([]string{p["FunctionName"].(string), p["Principal"].(string), texts(p["SourceArn"])[0]}, " "))
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("callers (-want +got):\n%s", diff)
	}
}
