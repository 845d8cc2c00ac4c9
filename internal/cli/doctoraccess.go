package cli

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// credentials checks that requests to the API can be signed, and reports whether to go on.
func (c *checkup) credentials(ctx context.Context, base *url.URL) bool {
	const name = "AWS credentials"
	if base.Scheme != "https" {
		c.add(name, checkOK, nil, "not needed: requests to this machine are not signed")
		return true
	}
	signIn := ofCredentials(surgical.ActionCheckToken)
	next := &signIn
	config, err := c.awsOf(ctx, base)
	if err == nil && config.Credentials != nil {
		found, credentialsErr := config.Credentials.Retrieve(ctx)
		if err = credentialsErr; err == nil {
			c.add(name, checkOK, nil, "found (%s), for %s", cmp.Or(found.Source, "of an unknown source"), config.Region)
			return true
		}
	}
	if err == nil {
		c.add(name, checkFailure, next, "there are none")
		return false
	}
	if surgical.CodeOf(err) == surgical.CodeInvalidRequest {
		next = step("Set AWS_REGION.", "")
	}
	c.add(name, checkFailure, next, "%s", failureOf(ctx, err).Message)
	return false
}

// enoughConcurrency is what the functions need to work at the same time.
const enoughConcurrency = 50

// quotas checks the account's, as far as the credentials may see them.
func (c *checkup) quotas(ctx context.Context, base *url.URL) {
	const name = "Lambda's quota"
	if base.Scheme != "https" {
		c.add(name, checkUnseen, nil, "this machine has none")
		return
	}
	config, err := c.awsOf(ctx, base)
	if err != nil {
		c.failed(name, err, nil)
		return
	}
	if c.HTTP != nil {
		config.HTTPClient = &http.Client{Transport: c.HTTP}
	}
	account, err := lambda.NewFromConfig(config).GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	switch {
	case err != nil:
		c.add(name, checkUnseen, step("Allow lambda:GetAccountSettings to see it.", ""), "these credentials cannot read it")
	case account.AccountLimit == nil:
		c.add(name, checkUnseen, nil, "AWS did not say")
	case account.AccountLimit.ConcurrentExecutions < enoughConcurrency:
		c.add(name, checkWarning, step("Request more concurrent executions in Service Quotas.", ""),
			"%d concurrent executions in this account: new accounts have few, and functions wait for each other", account.AccountLimit.ConcurrentExecutions)
	default:
		c.add(name, checkOK, nil, "%d concurrent executions", account.AccountLimit.ConcurrentExecutions)
	}
}

// soon is how long before a token's end it is mentioned.
const soon = 14 * 24 * time.Hour

// gitlabToken checks the user's own token.
func (c *checkup) gitlabToken(ctx context.Context) {
	const name = "your GitLab token"
	if strings.TrimSpace(c.lookup("GITLAB_TOKEN")) == "" {
		c.add(name, checkUnseen, step("Only lore hooks, and paths that are not known yet, need one: set GITLAB_TOKEN.", ""), "GITLAB_TOKEN is not set")
		return
	}
	client, err := c.gitlab(scopeRead)
	if err != nil {
		c.failed(name, err, step("Set GITLAB_BASE_URL to the URL of your GitLab.", ""))
		return
	}
	token, resp, err := client.PersonalAccessTokens.GetSinglePersonalAccessToken(gitlab.WithContext(ctx))
	switch {
	case err != nil && resp != nil && resp.StatusCode == http.StatusNotFound:
		c.add(name, checkUnseen, nil, "this GitLab does not say what the token may do")
	case err != nil:
		c.failed(name, gitlabFailure(ctx, "the token", scopeRead, resp, err), nil)
	case token.Revoked || !token.Active:
		c.add(name, checkFailure, step("Make a new one with the api scope.", ""), "it was revoked, or has expired")
	case !slices.Contains(token.Scopes, "api"):
		c.add(name, checkWarning, step("Make one with the api scope to use lore hooks.", ""), "its scopes are %s", strings.Join(token.Scopes, ", "))
	case token.ExpiresAt != nil && time.Time(*token.ExpiresAt).Before(c.Clock().Add(soon)):
		c.add(name, checkWarning, step("Make a new one in time.", ""), "it expires on %s", token.ExpiresAt)
	default:
		c.add(name, checkOK, nil, "its scopes are %s", strings.Join(token.Scopes, ", "))
	}
}
