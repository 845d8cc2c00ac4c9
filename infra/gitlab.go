package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// What the functions need that call a self-managed GitLab: only the worker does.

// caBundleFile is the CA bundle in the worker's code. An environment, of 4 KB,
// would hold one or two certificates.
const caBundleFile = "gitlab-ca.pem"

// bundleWorker copies the worker's code and the CA bundle to a directory of the
// assembly, and returns it; without a bundle it returns "".
func bundleWorker(s settings, assembly string) (string, error) {
	if s.GitLabCABundle == "" {
		return "", nil
	}
	dir := filepath.Join(assembly, "worker")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS(s.dirOf("worker"))); err != nil {
		return "", fmt.Errorf("copy the worker's code: %w", err)
	}
	text, err := os.ReadFile(s.GitLabCABundle)
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, caBundleFile), text, 0o644)
}

// caBundleEnv tells the worker where its CA bundle is. Lambda sets
// LAMBDA_TASK_ROOT, and the worker expands it.
func (st *stack) caBundleEnv() map[string]*string {
	if st.settings.GitLabCABundle == "" {
		return nil
	}
	return map[string]*string{"LOREHOOK_GITLAB_CA_FILE": jsii.String("${LAMBDA_TASK_ROOT}/" + caBundleFile)}
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
