package tour

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/test/devstack"
)

// chapter is what a section leaves to its reader.
type chapter struct {
	// before prepares what the section expects, and after looks at what it led to, or
	// leads back; nil for nothing.
	before, after func(v *tourist)
	// fill are pairs of what the reader replaces and what with.
	fill func(v *tourist) []string
}

// chapters are those of the README and of the guide that need more than being typed.
func chapters() map[string]chapter {
	return map[string]chapter{
		"Look around":                   {fill: func(v *tourist) []string { return []string{"RUN_ID", v.newestRun()} }},
		"Use your own GitLab":           {fill: ownGitLab, after: func(v *tourist) { v.must("make up") }},
		"Deploy to AWS":                 {before: (*tourist).localAWS, fill: onAWS},
		"Connect a GitLab project":      {after: (*tourist).connect},
		"Install lore":                  {before: (*tourist).download, fill: released, after: (*tourist).installed},
		"From nothing to a found issue": {fill: onAWS, after: func(v *tourist) { v.types("lore doctor; lore status", "") }},
	}
}

// readme follows the README.
func (v *tourist) readme() {
	v.Helper()
	readme := v.text("README.md")
	v.follow("README.md", readme)
	for _, call := range mentioned(readme) {
		v.must(call + " --help")
	}
}

// guide follows the deploy guide from nothing to a found issue.
func (v *tourist) guide() {
	v.Helper()
	v.follow("docs/deploy.md", section(v.text("docs/deploy.md"), "## From nothing to a found issue"))
}

// follow types every command of the text that is not excused, section by section.
func (v *tourist) follow(name, markdown string) {
	v.Helper()
	v.begin()
	all, _ := commandsOf(markdown)
	for _, heading := range headings(markdown) {
		commands := slices.DeleteFunc(slices.Clone(all), func(c command) bool { return c.heading != heading })
		c := chapters()[heading]
		if len(commands) == 0 && c.after == nil {
			continue
		}
		v.log.stage(heading)
		if c.before != nil {
			c.before(v)
		}
		fill := []string{"curl -s", "curl --fail -sS"}
		if c.fill != nil {
			fill = append(fill, c.fill(v)...)
		}
		for _, command := range commands {
			switch {
			case excused(name, command.text) != "":
			case command.example:
				v.example(command)
			default:
				v.arrived(v.types(strings.NewReplacer(fill...).Replace(command.text), asked(command.text)), command.text)
			}
		}
		if c.after != nil {
			c.after(v)
		}
	}
}

// headings returns those of a text, in their order.
func headings(markdown string) (all []string) {
	inside := false
	for line := range strings.Lines(markdown) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inside = !inside
		}
		if title, is := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); !inside && is && strings.HasPrefix(line, "#") {
			all = append(all, strings.TrimSpace(title))
		}
	}
	return all
}

// arrived looks whether the answer was found and read, which the first screen promises.
func (v *tourist) arrived(printed, command string) {
	v.Helper()
	for part, point := range map[string]string{"lore search \"how do I turn off the sounds\"": issueFound, "lore show 1#7": threadRead} {
		if !strings.Contains(command, part) {
			continue
		}
		if !strings.Contains(printed, "sounds: off") {
			v.Errorf("%s does not show the answer:\n%s", command, printed)
		}
		v.log.reach(point)
	}
}

// asked is what a command waits for its reader to type.
func asked(command string) string {
	if strings.Contains(command, "paste") {
		return devstack.DemoGitLabToken + "\n"
	}
	return ""
}

// ownGitLab takes the demo GitLab for the reader's.
func ownGitLab(v *tourist) []string {
	return []string{
		"https://gitlab.example.com", v.endpoint("gitlab_base_url"), "GITLAB_TOKEN=…", "GITLAB_TOKEN=" + devstack.DemoGitLabToken,
		"LOREHOOK_PROJECTS=42", "LOREHOOK_PROJECTS=1", "-p 42", "-p 1",
	}
}

// onAWS takes the local stack for one on AWS. The address of the local API is not the one
// in the stack's outputs.
func onAWS(v *tourist) []string {
	return []string{
		"AWS_REGION=eu-central-1", "AWS_REGION=" + devstack.Region, "$(out ApiUrl)", v.endpoint("api_url"), "projects/42", "projects/1", "group/project", "demo/lorehook-demo",
		"gitlab-base-url https://gitlab.example.com", "gitlab-base-url " + v.endpoint("gitlab_base_url"),
		// The functions of this stack are not new: they would read another token within a
		// minute, and GitLab disables a hook that is refused three times until then.
		"$(lore token generate)", v.endpoint("signing_token"),
	}
}

// localAWS has the commands of the AWS CLI go to the local AWS, and writes the profile that
// the guide names, and the files with the tokens. The stack goes on to accept the token that it had.
func (v *tourist) localAWS() {
	v.Helper()
	v.must("scripts/setup awscli")
	v.write(".local/bin/aws", "#!/bin/sh\nexec "+v.dir+"/.local/awscli/bin/aws --endpoint-url "+v.endpoint("aws_endpoint_url")+" \"$@\"\n")
	v.env = append(v.env, "AWS_ENDPOINT_URL="+v.endpoint("aws_endpoint_url"), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_SESSION_TOKEN=", "AWS_REGION="+devstack.Region, "AWS_DEFAULT_REGION="+devstack.Region, "AWS_PAGER=")
	v.must("mkdir -p ~/.aws && printf '[profile team]\naws_access_key_id = test\naws_secret_access_key = test\n' > ~/.aws/config")
	v.write("gitlab-token.txt", devstack.DemoGitLabToken+"\n")
	v.types(`export GITLAB_WEBHOOK_SIGNING_TOKENS=$(lore token generate)`, "")
	v.types(`printf '{"signing_tokens":["%s","`+v.endpoint("signing_token")+`"]}' "$GITLAB_WEBHOOK_SIGNING_TOKENS" > webhook-tokens.json`, "")
}

// connect connects a project with the commands that the text names, but for lore hooks
// rotate, which waits for a minute and is in a runbook.
func (v *tourist) connect() {
	v.Helper()
	v.types("export GITLAB_TOKEN="+devstack.DemoGitLabToken, "")
	for _, call := range []string{
		"hooks add -p demo/lorehook-demo --dry-run", "hooks add -p demo/lorehook-demo", "hooks verify -p demo/lorehook-demo",
		"hooks list -p demo/lorehook-demo", "hooks remove -p demo/lorehook-demo --yes", // asks on a terminal
		"hooks add -p demo/lorehook-demo", "backfill -p demo/lorehook-demo",
	} {
		v.types("lore "+call, "")
	}
	v.types("unset GITLAB_TOKEN", "")
}

// download makes the release that a reader would download: of this commit, and of lore for
// this machine only.
func (v *tourist) download() {
	v.Helper()
	v.must("go run ./scripts/release build --snapshot -p " + runtime.GOOS + "/" + runtime.GOARCH)
	v.must("mkdir downloads && cp .build/release/lore*.tar.gz .build/release/*_SHA256SUMS downloads/")
	v.types("cd downloads", "")
}

// released names the release that there is.
func released(v *tourist) []string {
	v.Helper()
	sums, err := filepath.Glob(filepath.Join(v.dir, "downloads", "lorehook_*_SHA256SUMS"))
	if err != nil || len(sums) != 1 {
		v.Fatalf("checksums: %v, %v", sums, err)
	}
	version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(sums[0]), "lorehook_"), "_SHA256SUMS")
	return []string{"0.1.0", version, "linux_amd64", runtime.GOOS + "_" + runtime.GOARCH}
}

func (v *tourist) installed() {
	v.Helper()
	if out := v.types("~/.local/bin/lore --version; cd ..", ""); !strings.Contains(out, "lore") {
		v.Errorf("lore --version prints %q", out)
	}
}

// text is a file of the clone.
func (v *tourist) text(name string) string {
	v.Helper()
	return read(v.T, filepath.Join(v.dir, name))
}

// text is a file of this checkout.
func text(t *testing.T, name string) string {
	t.Helper()
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	return read(t, filepath.Join(root, name))
}

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Preparations for a section that was renamed would be left out.
func TestChapters_AreSectionsThatThereAre(t *testing.T) {
	all := append(headings(text(t, "README.md")), headings(text(t, "docs/deploy.md"))...)
	for heading := range chapters() {
		if !slices.Contains(all, heading) {
			t.Errorf("there is no section %q", heading)
		}
	}
}
