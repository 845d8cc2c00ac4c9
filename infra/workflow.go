package main

import (
	_ "embed"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"
)

// workflowDefinition is the state machine in the Amazon States Language. Its
// ${…FunctionArn} are replaced at deployment.
//
//go:embed workflow.asl.json
var workflowDefinition string

// machineRef names the state machine before it exists: functions start it, and
// it invokes functions.
type machineRef struct{ name, arn *string }

func newMachineRef(st *stack) machineRef {
	name := st.name("workflow")
	return machineRef{name: &name, arn: st.arnOfName("states", "stateMachine", name)}
}

// newWorkflow makes the EXPRESS state machine. Its log names states and errors
// but no data; it is returned.
func (st *stack) newWorkflow() awslogs.LogGroup {
	invoked := map[string]function{
		"DocsFunctionArn": st.functions.docs, "EmbedFunctionArn": st.functions.embed,
		"FinishFunctionArn": st.functions.finish, "AbortFunctionArn": st.functions.abort,
	}
	role := awsiam.NewRole(st.Stack, jsii.String("WorkflowRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"), nil),
	})
	substitutions := map[string]*string{}
	for placeholder, f := range invoked {
		substitutions[placeholder] = f.FunctionArn()
	}
	for _, f := range []function{st.functions.docs, st.functions.embed, st.functions.finish, st.functions.abort} {
		allow(role, []string{"lambda:InvokeFunction"}, f.FunctionArn())
	}
	logs := st.vendedLogGroup("WorkflowLogs", "states", "workflow")
	machine := awsstepfunctions.NewStateMachine(st.Stack, jsii.String("Workflow"), &awsstepfunctions.StateMachineProps{
		StateMachineName:        st.machine.name,
		StateMachineType:        awsstepfunctions.StateMachineType_EXPRESS,
		DefinitionBody:          awsstepfunctions.DefinitionBody_FromString(&workflowDefinition),
		DefinitionSubstitutions: &substitutions,
		Role:                    role,
		TracingEnabled:          jsii.Bool(st.settings.Tracing == "active"),
		Logs: &awsstepfunctions.LogOptions{
			Destination:          logs,
			Level:                awsstepfunctions.LogLevel_ERROR,
			IncludeExecutionData: jsii.Bool(false),
		},
	})
	if st.settings.Tracing == "off" {
		st.suppress(machine, "AwsSolutions-SF2", untraced)
		st.suppress(machine, "Serverless-StepFunctionStateMachineXray", untraced)
	}
	st.suppress(machine, "AwsSolutions-SF1", "The ledger is the history of a run; the log holds what failed.")
	st.suppress(role, "AwsSolutions-IAM5", "X-Ray and the delivery of a state machine's logs take no resource: their actions are only allowed on *.", "Resource::*")
	return logs
}

// untraced is why functions and state machine may be without X-Ray.
const untraced = "The operator switched tracing off; the logs carry the ids all the same."

// arnOfName is the ARN of a resource of this stack's account by its name.
func (st *stack) arnOfName(service, resource, name string) *string {
	return st.FormatArn(&awscdk.ArnComponents{
		Service: &service, Resource: &resource, ResourceName: &name, ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
}
