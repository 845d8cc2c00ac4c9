package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// What the functions need that call a self-managed GitLab.

// caBundleFile is the CA bundle in the code of each of them. An environment, of 4 KB,
// would hold one or two certificates.
const caBundleFile = "gitlab-ca.pem"

// callsGitLab are the names of the functions that call GitLab.
func callsGitLab() []string { return []string{"worker", "crawler"} }

// bundleCertificates copies the code of the functions that call GitLab, and the CA
// bundle, to a directory of the assembly, and returns it; without a bundle it returns
// "".
func bundleCertificates(s settings, assembly string) (string, error) {
	if s.GitLabCABundle == "" {
		return "", nil
	}
	text, err := os.ReadFile(s.GitLabCABundle)
	if err != nil {
		return "", err
	}
	bundled := filepath.Join(assembly, "bundled")
	if err := os.RemoveAll(bundled); err != nil {
		return "", err
	}
	for _, function := range callsGitLab() {
		dir := filepath.Join(bundled, function)
		if err := os.CopyFS(dir, os.DirFS(s.dirOf(function))); err != nil {
			return "", fmt.Errorf("copy the code of the function %s: %w", function, err)
		}
		if err := os.WriteFile(filepath.Join(dir, caBundleFile), text, 0o644); err != nil {
			return "", err
		}
	}
	return bundled, nil
}

// gitlabEnv tells a function how to call GitLab. Lambda sets LAMBDA_TASK_ROOT, and the
// function expands it.
func (st *stack) gitlabEnv() map[string]*string {
	env := map[string]*string{
		"GITLAB_BASE_URL":                     &st.settings.GitLabBaseURL,
		"LOREHOOK_GITLAB_TOKEN_SECRET_ID":     st.secrets.gitlabToken,
		"LOREHOOK_GITLAB_REQUESTS_PER_SECOND": jsii.String(strconv.Itoa(st.settings.GitLabRequestsPerSecond)),
	}
	if st.settings.GitLabCABundle != "" {
		env["LOREHOOK_GITLAB_CA_FILE"] = jsii.String("${LAMBDA_TASK_ROOT}/" + caBundleFile)
	}
	return env
}

// interfaceActions are what Lambda does with a function's role to connect it to a
// VPC. They accept no resource that is known beforehand.
func interfaceActions() []string {
	return []string{"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
		"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}
}

// allowInterfaces lets Lambda connect the function to a VPC with its role, but
// denies the function's own code to do the same.
func (st *stack) allowInterfaces(role awsiam.IRole, function string) {
	allow(role, interfaceActions(), jsii.String("*"))
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Effect: awsiam.Effect_DENY, Actions: jsii.Strings(interfaceActions()...), Resources: jsii.Strings("*"),
		Conditions: &map[string]any{"ArnEquals": map[string]any{"lambda:SourceFunctionArn": st.arnOfName("lambda", "function", function)}},
	}))
}

// joinVPC gives the function network interfaces in the configured subnets, instead
// of the public internet.
func (st *stack) joinVPC(f awslambda.Function) {
	f.Node().DefaultChild().(awslambda.CfnFunction).SetVpcConfig(&awslambda.CfnFunction_VpcConfigProperty{
		SubnetIds: jsii.Strings(st.settings.VPCSubnetIDs...), SecurityGroupIds: jsii.Strings(st.settings.VPCSecurityGroupIDs...),
	})
}
