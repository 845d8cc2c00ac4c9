package tour

import (
	"strings"
	"testing"
)

// excuse is why a command is not run: the only list of those that are not.
type excuse struct {
	// in is the text with the command, docs/runbooks for all runbooks, and command a part
	// of it.
	in, command, why string
}

// needsAWS is why what deploys is not run. make deploy-test deploys the same template to
// the local AWS with the CDK CLI.
const needsAWS = "needs an AWS account"

func excuses() []excuse {
	return []excuse{
		{"README.md", "git clone ", "the tour has cloned the last commit, which may not be published"},
		{"README.md", "cdk bootstrap", needsAWS},
		{"README.md", "make deploy", needsAWS},
		{"docs/deploy.md", "cdk bootstrap", needsAWS},
		{"docs/deploy.md", "make deploy", needsAWS},
		{"docs/runbooks", "sqs start-message-move-task", "the local AWS does not know it"},
		{"docs/runbooks", "--log-group-identifier", "a local state machine has no log group"},
	}
}

// excused returns why the command of the text is not run, or "".
func excused(in, command string) string {
	for _, e := range excuses() {
		if e.in == in && strings.Contains(command, e.command) {
			return e.why
		}
	}
	return ""
}

func TestExcuses_AreForCommandsThatThereAre(t *testing.T) {
	commands := map[string][]string{}
	for _, in := range []string{"README.md", "docs/deploy.md"} {
		all, _ := commandsOf(text(t, in))
		for _, c := range all {
			commands[in] = append(commands[in], c.text)
		}
	}
	for _, name := range runbooks(t) {
		commands["docs/runbooks"] = append(commands["docs/runbooks"], callsIn(text(t, name))...)
	}
	for _, e := range excuses() {
		if !strings.Contains(strings.Join(commands[e.in], "\n"), e.command) {
			t.Errorf("%s has no command with %q", e.in, e.command)
		}
		if e.why == "" {
			t.Errorf("%s: %q is excused without a reason", e.in, e.command)
		}
	}
}

// What is in a block of another language would not be followed.
func TestTheReadmeHasNoBlockThatTheTourDoesNotKnow(t *testing.T) {
	all, languages := commandsOf(text(t, "README.md"))
	for _, known := range []string{"sh", "console", "text", "mermaid"} {
		delete(languages, known)
	}
	if len(languages) > 0 {
		t.Errorf("blocks of other languages: %v", languages)
	}
	if len(all) < 45 {
		t.Errorf("%d commands: the tour shows little", len(all))
	}
}
