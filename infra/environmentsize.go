package main

import (
	"fmt"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Longest values of what is known only at deployment.
const (
	regionLength    = len("ap-southeast-1")
	accountLength   = len("123456789012")
	partitionLength = len("aws-us-gov")
	// generatedSuffix ends the names that CloudFormation generates.
	generatedSuffix = len("-ABCDEFGHIJKLM")
	// addressPrefix begins the longest address of a resource, a secret's ARN, and
	// six letters and a hyphen end it.
	addressPrefix = len("arn:aws-us-gov:secretsmanager:ap-southeast-1:123456789012:secret:") + len("-AbCdEf")
)

// checkEnvironment notes an error if the environment may be larger than Lambda
// accepts. Otherwise only a deployment would tell, after it changed other
// functions.
func (st *stack) checkEnvironment(function string, env map[string]*string) {
	// Lambda measures the environment as JSON.
	bytes := len("{}")
	for name, value := range env {
		bytes += len(name) + st.longest(name, st.Resolve(value)) + len(`"":"",`)
	}
	if bytes > surgical.MaxEnvironment {
		st.errs = append(st.errs, fmt.Errorf("the environment of the function %s would take up to %d bytes, and Lambda accepts %d: projects takes %d of them",
			function, bytes, surgical.MaxEnvironment, len(st.settings.Projects)))
	}
}

// longest is the greatest length of a value of the template.
func (st *stack) longest(variable string, value any) int {
	v, reference := value.(map[string]any)
	if !reference {
		return len(fmt.Sprint(value))
	}
	if join, ok := v["Fn::Join"].([]any); ok {
		total := 0
		parts, _ := join[1].([]any)
		for _, part := range parts {
			total += st.longest(variable, part) + len(fmt.Sprint(join[0]))
		}
		return total
	}
	id, _ := v["Ref"].(string)
	if attribute, ok := v["Fn::GetAtt"].([]any); ok {
		id = fmt.Sprint(attribute[0])
	}
	switch id {
	case "AWS::Region":
		return regionLength
	case "AWS::AccountId":
		return accountLength
	case "AWS::Partition":
		return partitionLength
	}
	name := len(st.settings.StackName) + len("-") + len(id) + generatedSuffix
	if strings.HasPrefix(variable, "LOREHOOK_TABLE_") {
		return name
	}
	return addressPrefix + name
}
