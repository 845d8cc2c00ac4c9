package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bootstrapActions are what CloudFormation does for the resources of the CDK's bootstrap
// template, with the rights of the caller of cdk bootstrap: for each kind, and for each of
// its properties. A kind or a property without an entry is one that the policy does not
// know yet.
func bootstrapActions() map[string]string {
	return map[string]string{
		"AWS::IAM::Role": "iam:CreateRole iam:GetRole iam:UpdateRole iam:DeleteRole",
		"AWS::IAM::Role AssumeRolePolicyDocument": "iam:UpdateAssumeRolePolicy",
		"AWS::IAM::Role ManagedPolicyArns":        "iam:AttachRolePolicy iam:DetachRolePolicy",
		"AWS::IAM::Role PermissionsBoundary":      "", // none by default
		"AWS::IAM::Role Policies":                 "iam:PutRolePolicy iam:GetRolePolicy iam:DeleteRolePolicy",
		"AWS::IAM::Role RoleName":                 "",
		"AWS::IAM::Role Tags":                     "iam:TagRole iam:UntagRole",
		"AWS::IAM::Policy":                        "iam:PutRolePolicy iam:GetRolePolicy iam:DeleteRolePolicy",
		"AWS::IAM::Policy PolicyDocument":         "",
		"AWS::IAM::Policy PolicyName":             "",
		"AWS::IAM::Policy Roles":                  "",

		// The bucket stays when the stack is deleted. The stack's name is a tag.
		"AWS::S3::Bucket":                                "s3:CreateBucket s3:GetBucketLocation s3:PutBucketTagging",
		"AWS::S3::Bucket AccessControl":                  "", // private is the default
		"AWS::S3::Bucket BucketEncryption":               "s3:PutEncryptionConfiguration s3:GetEncryptionConfiguration",
		"AWS::S3::Bucket BucketName":                     "",
		"AWS::S3::Bucket LifecycleConfiguration":         "s3:PutLifecycleConfiguration s3:GetLifecycleConfiguration",
		"AWS::S3::Bucket PublicAccessBlockConfiguration": "s3:PutBucketPublicAccessBlock s3:GetBucketPublicAccessBlock",
		"AWS::S3::Bucket VersioningConfiguration":        "s3:PutBucketVersioning s3:GetBucketVersioning",
		"AWS::S3::BucketPolicy":                          "s3:PutBucketPolicy s3:GetBucketPolicy s3:DeleteBucketPolicy",
		"AWS::S3::BucketPolicy Bucket":                   "",
		"AWS::S3::BucketPolicy PolicyDocument":           "",

		"AWS::ECR::Repository":                      "ecr:CreateRepository ecr:DescribeRepositories ecr:DeleteRepository ecr:TagResource ecr:ListTagsForResource ecr:PutImageScanningConfiguration",
		"AWS::ECR::Repository ImageTagMutability":   "ecr:PutImageTagMutability",
		"AWS::ECR::Repository LifecyclePolicy":      "ecr:PutLifecyclePolicy ecr:GetLifecyclePolicy ecr:DeleteLifecyclePolicy",
		"AWS::ECR::Repository RepositoryName":       "",
		"AWS::ECR::Repository RepositoryPolicyText": "ecr:SetRepositoryPolicy ecr:GetRepositoryPolicy ecr:DeleteRepositoryPolicy",

		"AWS::SSM::Parameter":       "ssm:PutParameter ssm:GetParameter ssm:GetParameters ssm:DeleteParameter ssm:AddTagsToResource",
		"AWS::SSM::Parameter Name":  "",
		"AWS::SSM::Parameter Type":  "",
		"AWS::SSM::Parameter Value": "",
	}
}

// bootstrapResource is one of the CDK's bootstrap template.
type bootstrapResource struct {
	Type, Condition string
	Properties      map[string]any
}

// bootstrapResources are what cdk bootstrap makes by default: with neither a key nor a
// permissions boundary of its own.
func bootstrapResources(t *testing.T) map[string]bootstrapResource {
	t.Helper()
	program, err := filepath.Abs("../.local/cdk/node_modules/.bin/cdk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("the CDK CLI is not installed, so bootstrap.json is compared with nothing: run scripts/setup cdk")
	}
	show := exec.CommandContext(t.Context(), program, "bootstrap", "--show-template", "--json")
	show.Dir = t.TempDir()
	show.Env = append(os.Environ(), "CDK_DISABLE_CLI_TELEMETRY=true", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1")
	text, err := show.Output()
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Resources map[string]bootstrapResource }
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	maps.DeleteFunc(template.Resources, func(_ string, r bootstrapResource) bool {
		return r.Condition == "CreateNewKey" || r.Condition == "ShouldCreatePermissionsBoundary"
	})
	if len(template.Resources) < 5 {
		t.Fatalf("only %d resources", len(template.Resources))
	}
	return template.Resources
}

func TestThePolicyOfBootstrapAllowsWhatTheCDKsTemplateNeeds(t *testing.T) {
	known, used := bootstrapActions(), map[string]bool{}
	var needed []string
	need := func(what string) {
		actions, ok := known[what]
		if !ok {
			t.Errorf("the CDK's template has %s, for which no actions are known", what)
		}
		used[what] = true
		needed = append(needed, strings.Fields(actions)...)
	}
	for _, r := range bootstrapResources(t) {
		need(r.Type)
		for property := range r.Properties {
			need(r.Type + " " + property)
		}
	}
	for what := range known {
		if !used[what] {
			t.Errorf("the CDK's template no longer has %s", what)
		}
	}
	ofCLI := func(action string) bool { return strings.HasPrefix(action, "cloudformation:") }
	got := slices.DeleteFunc(documented(t, "bootstrap").actions(), ofCLI)
	if diff := cmp.Diff(union(needed), got); diff != "" {
		t.Errorf("bootstrap.json (-needed +allowed):\n%s", diff)
	}
}

func TestThePolicyOfBootstrapNamesWhatTheCDKsTemplateMakes(t *testing.T) {
	var patterns []string
	for _, s := range documented(t, "bootstrap").Statement {
		for _, r := range s.Resource {
			patterns = append(patterns, strings.ReplaceAll(regexp.QuoteMeta(r), `\*`, `[^/]*`))
		}
	}
	allowed := regexp.MustCompile("^(" + strings.Join(patterns, "|") + ")$")
	named := map[string]struct{ property, arn string }{
		"AWS::IAM::Role":       {"RoleName", "arn:aws:iam::ACCOUNT:role/"},
		"AWS::S3::Bucket":      {"BucketName", "arn:aws:s3:::"},
		"AWS::ECR::Repository": {"RepositoryName", "arn:aws:ecr:REGION:ACCOUNT:repository/"},
		"AWS::SSM::Parameter":  {"Name", "arn:aws:ssm:REGION:ACCOUNT:parameter"},
	}
	names := strings.NewReplacer("${Qualifier}", "hnb659fds", "${AWS::AccountId}", "ACCOUNT", "${AWS::Region}", "REGION")
	byDefault := regexp.MustCompile(`"Fn::Sub":"([^"]*\$\{Qualifier\}[^"]*)"`)
	for id, r := range bootstrapResources(t) {
		of, ok := named[r.Type]
		if !ok {
			continue // it belongs to a resource that has a name
		}
		text, err := json.Marshal(r.Properties[of.property])
		if err != nil {
			t.Fatal(err)
		}
		name := byDefault.FindSubmatch(text)
		if name == nil {
			t.Errorf("%s has no name by default: %s", id, text)
			continue
		}
		if arn := of.arn + names.Replace(string(name[1])); !allowed.MatchString(arn) {
			t.Errorf("bootstrap.json does not name %s", arn)
		}
	}
}
