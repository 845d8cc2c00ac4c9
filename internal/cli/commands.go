package cli

const description = "Operate Lorehook: bring copies of GitLab issues and merge requests up to date, and look at runs, copies and hooks. " +
	"Finds the stack of this machine by itself (.local/endpoints.json, here or above); LOREHOOK_API_URL or --api-url lead elsewhere. " +
	"Calls to AWS are signed with your AWS credentials. Failures: lore help exit-codes."

type globals struct {
	Robot       bool        `help:"Print one JSON envelope for machines, and nothing else."`
	APIURL      string      `name:"api-url" placeholder:"URL" help:"The API's address, up to the slash before v1 (else LOREHOOK_API_URL, else this machine's stack)."`
	ShowVersion versionFlag `name:"version" help:"Print the version, commit and date, and exit."`
}

type commands struct {
	globals
	Sync       syncCommand       `cmd:"" help:"Bring the copies of issues and merge requests up to date."`
	SyncRuns   syncRunsCommand   `cmd:"" name:"sync-runs" help:"List runs; show, retry, cancel or await one."`
	Show       showCommand       `cmd:"" help:"Show the stored copy of an issue or merge request."`
	Replay     replayCommand     `cmd:"" help:"Sign a payload and send it to the webhook, as GitLab would."`
	Hooks      hooksCommands     `cmd:"" help:"Add, verify or list a project's hooks in GitLab."`
	Completion completionCommand `cmd:"" help:"Print how to turn on completion in your shell."`
	Help       helpCommand       `cmd:"" help:"Explain a command, or list the exit codes."`
	Version    versionCommand    `cmd:"" help:"Print the version, commit and date."`
}
