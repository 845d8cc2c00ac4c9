package access

import "net/http"

// Caller is what a person or a program that uses a stack may do. The stack has a managed
// policy for each.
type Caller struct {
	// Name is the end of the policy's name.
	Name string
	// Methods are those of the routes below /v1 that the caller may use.
	Methods []string
	// Everything are actions that take no resource, Logs those on the log groups of the
	// functions, and WebhookSecret those on the secret with the webhook tokens.
	Everything, Logs, WebhookSecret []string
}

// InvokeAPI is the action on a route of the HTTP API.
const InvokeAPI = "execute-api:Invoke"

// Reader reads everything and changes nothing.
func Reader() Caller {
	return Caller{
		Name: "reader", Methods: []string{http.MethodGet},
		// For lore logs, which looks for the log groups, and lore doctor.
		Everything: []string{"lambda:GetAccountSettings", "logs:DescribeLogGroups"},
		Logs:       []string{"logs:FilterLogEvents"},
	}
}

// Operator may do everything that the API and lore can, for lore hooks rotate with the
// secret too.
func Operator() Caller {
	c := Reader()
	c.Name = "operator"
	c.Methods = append(c.Methods, http.MethodPost, http.MethodDelete)
	c.WebhookSecret = []string{"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"}
	return c
}
