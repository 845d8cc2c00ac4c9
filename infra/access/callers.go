package access

import (
	"net/http"
	"slices"
)

// Caller is what a person or a program that uses a stack may do. The stack has a managed
// policy for each.
type Caller struct {
	// Name is the end of the policy's name.
	Name string
	// Methods are those of the routes below /v1 that the caller may use.
	Methods []string
	// Grants has at most one for each kind of resource.
	Grants []Grant
}

// Grant is what a caller may do with the stack's resources of one kind.
type Grant struct {
	On      Resource
	Actions []string
}

// Resource is a kind of resource of a stack.
type Resource string

const (
	// Anything is for actions that take no resource.
	Anything Resource = "anything"
	// TheStack is the stack of CloudFormation.
	TheStack Resource = "the stack"
	// FunctionLogs are the log groups of the functions, and ServiceLogs those of the
	// gateway and of the workflow.
	FunctionLogs Resource = "the functions' logs"
	ServiceLogs  Resource = "the services' logs"
	// NamedLogs and NamedFunctions are those whose names begin with the stack's and a
	// hyphen. One pattern keeps a policy short, but it also matches the functions and
	// their logs of another stack whose name begins so.
	NamedLogs      Resource = "logs by name"
	NamedFunctions Resource = "functions by name"
	// Mappings and Rules start functions. A mapping may be updated only to start one of
	// the functions that a mapping of the stack starts.
	Mappings        Resource = "event source mappings"
	Rules           Resource = "rules"
	RequestsQueue   Resource = "the queue of requests"
	HidesQueue      Resource = "the queue of hides"
	DeadLetterQueue Resource = "the dead-letter queue"
	TheWorkflow     Resource = "the workflow"
	// StateTable has the pause of the workers. AllTables includes it.
	StateTable Resource = "the table of the state"
	AllTables  Resource = "tables"
	// WebhookSecret has the webhook tokens, and GitLabSecret the access token. AllSecrets
	// includes both, and the embedder's API key.
	WebhookSecret Resource = "the webhook secret"
	GitLabSecret  Resource = "GitLab's secret"
	AllSecrets    Resource = "secrets"
)

// InvokeAPI is the action on a route of the HTTP API.
const InvokeAPI = "execute-api:Invoke"

// Callers returns all of them.
func Callers() []Caller { return []Caller{Reader(), Operator(), Oncall()} }

// Reader reads everything and changes nothing.
func Reader() Caller {
	c := Caller{Name: "reader", Methods: []string{http.MethodGet}}
	// For lore logs, which looks for the log groups, and lore doctor.
	c.allow(Anything, "lambda:GetAccountSettings", "logs:DescribeLogGroups")
	c.allow(FunctionLogs, "logs:FilterLogEvents")
	c.allow(TheStack, "cloudformation:DescribeStacks") // its outputs
	return c
}

// Operator may do everything that the API and lore can, for lore hooks rotate with the
// secret too, and store the other secrets.
func Operator() Caller {
	c := Reader()
	c.Name = "operator"
	c.Methods = append(c.Methods, http.MethodPost, http.MethodDelete)
	c.allow(WebhookSecret, "secretsmanager:GetSecretValue")
	c.allow(AllSecrets, "secretsmanager:PutSecretValue")
	return c
}

// Oncall is what the commands of docs/runbooks need beyond [Operator]: IAM limits the
// length of a policy, so it does not repeat the operator's.
func Oncall() Caller {
	c := Caller{Name: "oncall"}
	c.allow(Anything, "cloudwatch:GetMetricStatistics", "events:ListRuleNamesByTarget", "lambda:ListEventSourceMappings", "logs:GetQueryResults")
	c.allow(TheStack, "cloudformation:DetectStackDrift", "cloudformation:ListStackResources")
	c.allow(NamedLogs, "logs:StartQuery")
	c.allow(ServiceLogs, "logs:FilterLogEvents")
	c.allow(NamedFunctions, "lambda:GetFunction", "lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency", "lambda:DeleteFunctionConcurrency")
	c.allow(Mappings, "lambda:UpdateEventSourceMapping")
	c.allow(Rules, "events:DescribeRule", "events:EnableRule")
	c.allow(HidesQueue, Count)
	// A task that moves messages does so with the rights of its caller.
	c.allow(DeadLetterQueue, Count, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:StartMessageMoveTask")
	c.allow(RequestsQueue, Count, Send)
	c.allow(TheWorkflow, "states:DescribeStateMachine")
	c.allow(StateTable, "dynamodb:GetItem")
	c.allow(AllTables, "dynamodb:DescribeTable", "dynamodb:UpdateTable")
	c.allow(GitLabSecret, "secretsmanager:GetSecretValue")
	c.allow(AllSecrets, "secretsmanager:DescribeSecret", "secretsmanager:RestoreSecret")
	return c
}

func (c *Caller) allow(on Resource, actions ...string) {
	i := slices.IndexFunc(c.Grants, func(g Grant) bool { return g.On == on })
	if i < 0 {
		c.Grants = append(c.Grants, Grant{On: on, Actions: actions})
		return
	}
	c.Grants[i].Actions = append(c.Grants[i].Actions, actions...)
}
