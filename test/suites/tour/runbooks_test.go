package tour

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// notLocal are commands that the local AWS does not know, by what they contain. It answers
// every query of Logs Insights with all lines, so what a query selects is not tried either.
func notLocal() []string {
	return []string{
		"sqs start-message-move-task", // dead-letters
		"--log-group-identifier",      // executions: a local state machine has no log group
	}
}

// runbooks runs every command of every runbook against the stack, as an operator would:
// after the functions that docs/runbooks/README.md defines, in one shell for each runbook.
func (v *tourist) runbooks() {
	v.Helper()
	v.must("scripts/setup awscli")
	v.operator()
	v.followRunbooks(prelude(v.T, v.dir))
}

// prelude returns what the commands of every runbook begin with: the functions, files with
// secrets, and a trap that names each command that fails.
func prelude(t *testing.T, root string) string {
	t.Helper()
	blocks := blocks(runbook(t, root, "README.md"), "sh")
	common := strings.Join(blocks[1:], "") // after the topic of the alarms, which are deployed to AWS only
	functions, fromAWS, ok := strings.Cut(common, "LOREHOOK_API_URL=$(out ApiUrl)\n")
	if !ok || !strings.Contains(functions, "ask()") || !strings.Contains(fromAWS, "export GITLAB_TOKEN=") {
		t.Fatalf("docs/runbooks/README.md does not define what the others use:\n%s", common)
	}
	// The address of the local API is not the one in the stack's outputs.
	return functions + `
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
func (v *tourist) followRunbooks(prelude string) {
	v.Helper()
	files, err := filepath.Glob(filepath.Join(v.dir, "docs", "runbooks", "*.md"))
	if err != nil || len(files) < 15 {
		v.Fatalf("%d runbooks, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "README.md" {
			continue
		}
		v.Run(strings.TrimSuffix(name, ".md"), func(t *testing.T) {
			reader := *v
			reader.T = t
			reader.followRunbook(name, prelude)
		})
	}
}

func (v *tourist) followRunbook(name, prelude string) {
	v.Helper()
	commands := v.filled(strings.Join(commandsOf(runbook(v.T, v.dir, name)), "\n"))
	out, _ := v.shell(v.Context(), "set +e -E\n"+prelude+commands+"\necho \"followed "+name+"\"")
	if !strings.Contains(out, "followed "+name) {
		v.Errorf("it did not come to its end:\n%s", out)
	}
	for _, failed := range regexp.MustCompile(`(?m)^FAILED: (.*)$`).FindAllStringSubmatch(out, -1) {
		if !excused(failed[1]) {
			v.Errorf("%s\n%s", failed[1], out)
		}
	}
}

func runbook(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "runbooks", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// commandsOf returns what a runbook tells to run, in its order: its shell blocks, those in
// lists included, and the calls of AWS and of logs within its text and its tables.
func commandsOf(runbook string) (all []string) {
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

func TestCommandsOf_FindsThemInListsAndTables(t *testing.T) {
	got := commandsOf("text\n```sh\none\n  two\n```\n1. a list\n   ```sh\n   three \\\n     four\n   ```\n```json\nno\n```\n" +
		"| a | `ask worker 'filter a \\| b'` and `aws sqs x`, not `aws` or `lore y` |\n")
	want := []string{"one", "  two", "   three \\", "     four", "ask worker 'filter a | b'", "aws sqs x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

// operator prepares what a runbook expects of the person who follows it: credentials, a
// GitLab token, files with new secrets, a hook, and a run that failed.
func (v *tourist) operator() {
	v.Helper()
	v.env = append(v.env, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=")
	v.must(`mkdir -p operator
endpoint() { python3 -c 'import json, sys; print(json.load(open(".local/endpoints.json"))[sys.argv[1]])' "$1"; }
printf '#!/bin/sh\nexec %s/.local/awscli/bin/aws --endpoint-url %s "$@"\n' "$PWD" "$(endpoint aws_endpoint_url)" >.local/bin/aws
chmod +x .local/bin/aws
aws secretsmanager get-secret-value --query SecretString --output text >operator/gitlab-token.txt --secret-id \
  "$(aws cloudformation describe-stacks --stack-name lorehook --output text --query "Stacks[0].Outputs[?OutputKey=='GitLabTokenSecretId'].OutputValue")"
endpoint aws_endpoint_url >operator/aws
endpoint gitlab_base_url >operator/gitlab
endpoint signing_token >operator/signing`)
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(v.dir, "operator", name))
		if err != nil {
			v.Fatal(err)
		}
		return strings.TrimSpace(string(raw))
	}
	v.env = append(v.env, "AWS_ENDPOINT_URL="+read("aws"), "GITLAB_BASE_URL="+read("gitlab"), "GITLAB_TOKEN="+read("gitlab-token.txt"))
	v.ids["whsec_…"] = read("signing")
	v.must("GITLAB_WEBHOOK_SIGNING_TOKENS=" + read("signing") + " lore hooks add -p 1")
	out, _ := v.shell(v.Context(), "lore --robot sync -p 1 --issue 7 --issue 4711 --wait")
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
		"aws secretsmanager restore-secret", `aws secretsmanager delete-secret --secret-id "$(out WebhookSecretId)"; aws secretsmanager restore-secret`,
		"--receipt-handle HANDLE", `--receipt-handle "$(dead_letter)"`,
		"--uuid UUID", `--uuid "$(aws lambda list-event-source-mappings --function-name "$stack-worker" --query EventSourceMappings[0].UUID --output text)"`,
	).Replace(commands)
}

func excused(command string) bool {
	for _, unknown := range notLocal() {
		if strings.Contains(command, unknown) {
			return true
		}
	}
	return false
}
