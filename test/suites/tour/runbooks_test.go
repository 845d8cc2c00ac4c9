package tour

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// runbooks runs every command of every runbook against the stack, as an operator would:
// after the functions that docs/runbooks/README.md defines, in one shell for each runbook.
func (v *tourist) runbooks() {
	v.Helper()
	v.operator()
	v.followRunbooks()
}

// functions returns the definitions of the functions that the runbooks use.
func (v *tourist) functions() string {
	v.Helper()
	_, defined, _ := strings.Cut(v.text("docs/runbooks/README.md"), "## Shell functions") // after the topic of the alarms, which is made as in the README
	common := strings.Join(callsIn(defined), "\n") + "\n"
	functions, fromAWS, ok := strings.Cut(common, "LOREHOOK_API_URL=$(out ApiUrl)\n")
	if !ok || !strings.Contains(functions, "ask()") || !strings.Contains(fromAWS, "export GITLAB_TOKEN=") {
		v.Fatalf("docs/runbooks/README.md does not define what the others use:\n%s", common)
	}
	return functions
}

// prelude returns what the commands of every runbook begin with: the functions, files with
// secrets, and a trap that names each command that fails.
func (v *tourist) prelude() string {
	v.Helper()
	// The address of the local API is not the one in the stack's outputs.
	return v.functions() + `
dead_letter() { # prints the receipt handle of a new dead letter
  aws sqs send-message --queue-url "$(out DeadLetterQueueUrl)" --message-body '{}' --message-group-id tour --message-deduplication-id "$RANDOM" >/dev/null
  aws sqs receive-message --queue-url "$(out DeadLetterQueueUrl)" --visibility-timeout 0 --query 'Messages[0].ReceiptHandle' --output text
}
cd operator
for secret in WebhookSecretId:webhook-tokens.json GitLabTokenSecretId:gitlab-token.txt; do
  aws secretsmanager get-secret-value --secret-id "$(out "${secret%:*}")" --query SecretString --output text >"${secret#*:}"
done
trap 'echo "FAILED: $BASH_COMMAND" >&2' ERR
`
}

// followRunbooks runs the commands of each runbook, after those of the prelude.
func (v *tourist) followRunbooks() {
	v.Helper()
	prelude := v.prelude()
	for _, name := range runbooks(v.T) {
		v.Run(strings.TrimSuffix(filepath.Base(name), ".md"), func(t *testing.T) {
			reader := *v
			reader.T = t
			reader.followRunbook(name, prelude)
		})
	}
}

func (v *tourist) followRunbook(name, prelude string) {
	v.Helper()
	commands := v.filled(strings.Join(callsIn(v.text(name)), "\n"))
	out, _ := v.run(v.Context(), name, "set +e -E\n"+prelude+commands+"\necho \"followed "+name+"\"", "")
	if !strings.Contains(out, "followed "+name) {
		v.Errorf("it did not come to its end:\n%s", out)
	}
	for _, failed := range regexp.MustCompile(`(?m)^FAILED: (.*)$`).FindAllStringSubmatch(out, -1) {
		if excused("docs/runbooks", failed[1]) == "" {
			v.Errorf("%s\n%s", failed[1], out)
		}
	}
}

// runbooks returns the names of all runbooks.
func runbooks(t *testing.T) (names []string) {
	t.Helper()
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "docs", "runbooks", "*.md"))
	if err != nil || len(files) < 15 {
		t.Fatalf("%d runbooks, %v", len(files), err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "README.md" {
			names = append(names, "docs/runbooks/"+name)
		}
	}
	return names
}

// callsIn returns what a runbook tells to run, in its order: its shell blocks, those in
// lists included, and the calls of AWS and of logs within its text and its tables.
func callsIn(runbook string) (all []string) {
	within := regexp.MustCompile("`((?:aws|ask) [^`]+)`")
	inBlock, language := false, ""
	for line := range strings.Lines(runbook) {
		line = strings.TrimRight(line, "\n")
		if fence, is := strings.CutPrefix(strings.TrimSpace(line), "```"); is {
			inBlock, language = !inBlock, fence
			continue
		}
		switch {
		case inBlock && language == "sh":
			all = append(all, line)
		case !inBlock:
			for _, m := range within.FindAllStringSubmatch(line, -1) {
				all = append(all, strings.ReplaceAll(m[1], `\|`, "|")) // as tables escape it
			}
		}
	}
	return all
}

func TestCallsIn_FindsThemInListsAndTables(t *testing.T) {
	got := callsIn("text\n```sh\none\n  two\n```\n1. a list\n   ```sh\n   three \\\n     four\n   ```\n```json\nno\n```\n" +
		"| a | `ask worker 'filter a \\| b'` and `aws sqs x`, not `aws` or `lore y` |\n")
	want := []string{"one", "  two", "   three \\", "     four", "ask worker 'filter a | b'", "aws sqs x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

// operator prepares what a runbook expects of the person who follows it: a GitLab token,
// a directory for files with new secrets, a hook, and a run that failed.
func (v *tourist) operator() {
	v.Helper()
	v.env = append(v.env, "GITLAB_BASE_URL="+v.endpoint("gitlab_base_url"), "GITLAB_TOKEN="+devstack.DemoGitLabToken)
	secret := v.must(`mkdir -p operator
aws secretsmanager get-secret-value --query SecretString --output text --secret-id \
  "$(aws cloudformation describe-stacks --stack-name lorehook --output text --query "Stacks[0].Outputs[?OutputKey=='WebhookSecretId'].OutputValue")"`)
	v.ids["whsec_…"] = regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(secret)
	v.must("GITLAB_WEBHOOK_SIGNING_TOKENS=" + v.ids["whsec_…"] + " lore hooks add -p 1")
	out, _ := v.shell(v.Context(), "lore --robot sync -p 1 --issue 7 --issue 4711 --wait", "")
	found := runID.FindString(out)
	if found == "" {
		v.Fatalf("no run in %s", out)
	}
	v.ids["RUN_ID"] = found
}

// filled replaces what a reader fills in.
func (v *tourist) filled(commands string) string {
	return strings.NewReplacer(
		"RUN_ID", v.ids["RUN_ID"], "PROJECT_ID", "1", "-p PROJECT", "-p 1", "whsec_…", v.ids["whsec_…"],
		"cat > ", ": ", // the prelude makes the files with secrets
		"aws secretsmanager restore-secret", `aws secretsmanager delete-secret --secret-id "$(out WebhookSecretId)"; aws secretsmanager restore-secret`,
		"--receipt-handle HANDLE", `--receipt-handle "$(dead_letter)"`,
		"--uuid UUID", `--uuid "$(aws lambda list-event-source-mappings --function-name "$stack-worker" --query EventSourceMappings[0].UUID --output text)"`,
	).Replace(commands)
}
