package cli

const description = "Operate Lorehook: bring copies of GitLab issues and merge requests up to date, and inspect runs, copies and hooks. " +
	"By default it uses the local stack, found through .local/endpoints.json in this directory or above; LOREHOOK_API_URL, --api-url or a profile (lore config) selects another. " +
	"Requests to AWS are signed with your AWS credentials. For exit codes, see: lore help exit-codes"

type globals struct {
	Robot       bool        `help:"Print exactly one JSON envelope, for scripts."`
	APIURL      string      `name:"api-url" placeholder:"URL" help:"Base URL of the API, without /v1 (default: LOREHOOK_API_URL, else that of the profile chosen with --profile, of the local stack, or of the profile in use)."`
	Profile     string      `placeholder:"NAME" completion-predictor:"profile" help:"Profile of lore config (default: LOREHOOK_PROFILE)."`
	ShowVersion versionFlag `name:"version" help:"Print the version, commit and date, and exit."`
}

type commands struct {
	globals
	Status     statusCommand     `cmd:"" help:"Show how fresh and complete the copies are, and what is waiting."`
	Doctor     doctorCommand     `cmd:"" help:"Check credentials, endpoint, secrets, webhooks and limits, and say what to do."`
	Logs       logsCommand       `cmd:"" help:"Print what the functions logged."`
	Sync       syncCommand       `cmd:"" help:"Bring the copies of issues and merge requests up to date."`
	Runs       runsCommands      `cmd:"" help:"List, view, watch, retry or cancel runs."`
	SyncRuns   syncRunsCommand   `cmd:"" name:"sync-runs" hidden:"" help:"The former name of the commands for runs."`
	List       listCommand       `cmd:"" help:"List the stored issues or merge requests of a project."`
	Show       showCommand       `cmd:"" help:"Show an issue or merge request with its comments, from the stored copy."`
	Open       openCommand       `cmd:"" help:"Open an issue or merge request in GitLab, in your browser."`
	Search     searchCommand     `cmd:"" help:"Find issues and merge requests by text, or similar ones."`
	Console    consoleCommand    `cmd:"" help:"Search and read the copies in your browser, and watch runs."`
	Projects   projectsCommands  `cmd:"" help:"List projects, show what is known of one, or hide their copies."`
	Why        whyCommand        `cmd:"" help:"Explain why the copy of an issue or merge request is shown or hidden, and how current it is."`
	Export     exportCommand     `cmd:"" help:"Write all copies that are shown as lines of JSON."`
	Changes    changesCommand    `cmd:"" help:"List what changed, and follow it."`
	Erase      eraseCommand      `cmd:"" help:"Remove everything of an issue or merge request, and keep it out."`
	Drain      drainCommand      `cmd:"" help:"Finish the documents and embeddings of failed runs."`
	Backfill   backfillCommand   `cmd:"" help:"Copy everything that a project, a group or GitLab has, and watch it."`
	Reconcile  reconcileCommand  `cmd:"" help:"Compare what changed in GitLab with the copy immediately."`
	Index      indexCommands     `cmd:"" help:"Show the state of the search index, or rebuild it."`
	Replay     replayCommand     `cmd:"" help:"Sign a payload and send it to the webhook, as GitLab would."`
	Hooks      hooksCommands     `cmd:"" help:"Add, verify, rotate, list or remove the webhooks of projects and groups in GitLab."`
	Token      tokenCommands     `cmd:"" help:"Make tokens for webhooks."`
	Config     configCommands    `cmd:"" help:"Set, show and choose profiles: the API, AWS profile and region, and GitLab of a stack."`
	Completion completionCommand `cmd:"" help:"Print the commands that enable completion in your shell."`
	Help       helpCommand       `cmd:"" help:"Explain a command, or list the exit codes."`
	Version    versionCommand    `cmd:"" help:"Print the version, commit and date."`
}
