package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"gitlab.com/lorehook/lorehook/internal/token"
)

// secretSet is the ARNs of the secrets; embedderAPIKey is nil where none is
// needed.
type secretSet struct {
	webhook, gitlabToken, embedderAPIKey *string
}

// newSecrets makes the secrets with placeholders. A later deployment leaves the
// operator's value alone only if the placeholder is unchanged, so never change one.
func newSecrets(st *stack) secretSet {
	set := secretSet{
		webhook: st.secret("WebhookSecret", "Webhook tokens, a JSON list of each kind",
			`{"signing_tokens":"","secret_tokens":""}`),
		gitlabToken: st.secret("GitLabTokenSecret", "GitLab token with the scope read_api", token.Unset),
	}
	if st.settings.EmbedderAPIKey {
		set.embedderAPIKey = st.secret("EmbedderApiKeySecret", "API key of the embedder", token.Unset)
	}
	return set
}

// all are those that there are.
func (s secretSet) all() []*string {
	all := []*string{s.webhook, s.gitlabToken}
	if s.embedderAPIKey != nil {
		all = append(all, s.embedderAPIKey)
	}
	return all
}

// secret makes a secret and returns its ARN.
func (st *stack) secret(id, description, placeholder string) *string {
	s := awssecretsmanager.NewSecret(st.Stack, &id, &awssecretsmanager.SecretProps{
		Description:       jsii.String("Lorehook: " + description),
		SecretStringValue: awscdk.SecretValue_UnsafePlainText(&placeholder),
	})
	st.suppress(s, "AwsSolutions-SMG4", "Another system issues this value: its operator rotates it there and here; several webhook tokens are accepted during a rotation.")
	// Ref would do on AWS, but emulators answer it with the name, and no policy
	// allows a name.
	return s.Node().DefaultChild().(awssecretsmanager.CfnSecret).AttrId()
}

// suppress accepts a finding of cdk-nag for one construct, with the reason.
func (st *stack) suppress(construct any, rule, reason string, appliesTo ...any) {
	s := &cdknag.NagPackSuppression{Id: &rule, Reason: &reason}
	if len(appliesTo) > 0 {
		s.AppliesTo = &appliesTo
	}
	cdknag.NagSuppressions_AddResourceSuppressions(construct, &[]*cdknag.NagPackSuppression{s}, jsii.Bool(true))
}
