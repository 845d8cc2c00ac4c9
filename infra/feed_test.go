package main

import (
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/infra/access"
)

// CloudFormation does not know the stream of a table that was restored under its name.
func TestTheFeedFollowsTheStreamThatASettingNames(t *testing.T) {
	s := inPrivate(t)
	if got := s.ofType("AWS::Lambda::EventSourceMapping")["FeedMapping"]["EventSourceArn"]; got != restoredStream {
		t.Errorf("the mapping reads %v", got)
	}
	document := s.ofType("AWS::IAM::Policy")["FeedRoleDefaultPolicy"]["PolicyDocument"].(map[string]any)
	if !slices.ContainsFunc(objects(document["Statement"]), func(statement map[string]any) bool {
		return slices.Equal(texts(statement["Resource"]), []string{restoredStream}) && slices.Equal(texts(statement["Action"]), access.ReadStream())
	}) {
		t.Errorf("the role may not read the stream: %v", document)
	}
	if strings.Contains(string(s.Text), `"StreamArn"`) {
		t.Error("the template still names the stream that CloudFormation created")
	}
}

// Lambda refuses a mapping of a stream that the function's role may not read. The mapping
// waits for the function, and that for its role's rights.
func TestTheFeedsRoleMayReadTheStreamBeforeItIsMapped(t *testing.T) {
	for id, r := range onAWS(t).Resources {
		if readable(id) != "FeedFunction" {
			continue
		}
		if !slices.ContainsFunc(r.DependsOn, func(id string) bool { return readable(id) == "FeedRoleDefaultPolicy" }) {
			t.Errorf("the function depends on %v", r.DependsOn)
		}
		return
	}
	t.Error("there is no function")
}
