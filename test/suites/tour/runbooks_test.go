package tour

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
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
	common := v.commands("README.md")
	functions, fromAWS, ok := strings.Cut(common, "LOREHOOK_API_URL=$(out ApiUrl)\n")
	if !ok || !strings.Contains(functions, "ask()") || !strings.Contains(fromAWS, "export GITLAB_TOKEN=") {
		v.Fatalf("docs/runbooks/README.md does not define what the others use:\n%s", common)
	}
	// The address of the local API is not the one in the stack's outputs.
	prelude := "stack=lorehook\n" + functions[strings.Index(functions, "out()"):] + `
cd "$OLDPWD/operator"
aws secretsmanager get-secret-value --secret-id "$(out WebhookSecretId)" --query SecretString --output text >webhook-tokens.json
trap 'echo "FAILED: $BASH_COMMAND" >&2' ERR
`
	files, err := filepath.Glob(filepath.Join(v.dir, "docs", "runbooks", "*.md"))
	if err != nil || len(files) < 15 {
		v.Fatalf("%d runbooks, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "README.md" {
			continue
		}
		out, _ := v.shell(v.Context(), "set +e -E\nOLDPWD=$PWD\n"+prelude+v.filled(v.commands(name))+"\necho \"followed "+name+"\"")
		if !strings.Contains(out, "followed "+name) {
			v.Errorf("%s did not come to its end:\n%s", name, out)
		}
		for _, failed := range regexp.MustCompile(`(?m)^FAILED: (.*)$`).FindAllStringSubmatch(out, -1) {
			if !v.excused(failed[1]) {
				v.Errorf("%s: %s\n%s", name, failed[1], out)
			}
		}
	}
}

// commands returns what the runbook tells to run.
func (v *tourist) commands(runbook string) string {
	v.Helper()
	text, err := os.ReadFile(filepath.Join(v.dir, "docs", "runbooks", runbook))
	if err != nil {
		v.Fatal(err)
	}
	all := blocks(string(text), "sh")
	if runbook == "README.md" {
		all = all[1:] // the topic of the alarms, which are deployed to AWS only
	}
	return strings.Join(all, "")
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
		"--uuid UUID", `--uuid "$(aws lambda list-event-source-mappings --function-name "$stack-worker" --query EventSourceMappings[0].UUID --output text)"`,
	).Replace(commands)
}

func (v *tourist) excused(command string) bool {
	for _, unknown := range notLocal() {
		if strings.Contains(command, unknown) {
			return true
		}
	}
	return false
}
