// Package stepfunctions interprets infra/workflow.asl.json for tests: the subset
// of the Amazon States Language that the definition uses, with JSONata as its
// query language. A state, field or expression outside of that subset is refused
// when the definition is parsed, never ignored.
//
// The interpreter calls nothing itself. An [Execution] says which function to
// invoke with which payload; the caller invokes it and reports the result. The
// caller therefore controls faults, kills and time:
//
//	e := machine.Start(input)
//	for e.Status == stepfunctions.Running {
//		call := e.Call()
//		…invoke call.Function with call.Payload after call.Wait…
//		e.Succeed(answer) // or e.Fail(stepfunctions.Failure{…})
//	}
//
// A test compares it with the Step Functions of the local AWS.
package stepfunctions
