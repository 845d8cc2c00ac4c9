package main

// cliMutations break what lore promises about many runs at once, and when it warns.
func cliMutations() []mutation {
	const retry, status, pass = "internal/cli/runsretry.go", "internal/cli/status.go", "internal/surgical/pass.go"
	retries := []suite{{name: "retries", args: []string{"./internal/cli", "-run", "TestRunsRetry"}}}
	ages := []suite{{name: "ages of reconciles", args: []string{"./internal/cli", "./internal/function/metrics", "./infra", "-run", "TestStatus_Warns|TestEmitter_Writes|TestReconcile"}}}
	return []mutation{
		{"lore: only the newest failed runs are retried", []edit{{retry, "filter.Cursor == \"\" {", "filter.Cursor != \"\" || true {"}}, retries},
		{"lore: runs that cannot succeed keep others from being retried", []edit{{retry, "one.Error.Code == surgical.CodeConflict {", "one.Error.Code == \"\" {"}}, retries},
		{"lore: runs that are left are not reported", []edit{{retry, "\t\tr.Left++\n", ""}}, retries},
		{"lore: a comparison is late after an hour whatever the interval", []edit{{status, "cmp.Or(behind, surgical.ReconcileBehind(surgical.ReconcileInterval))", "cmp.Or(0*behind, surgical.ReconcileBehind(surgical.ReconcileInterval))"}}, ages},
		{"lore: a secret is looked for in the webhook's region whatever its ARN", []edit{{"internal/cli/hooksrotate.go", "region = named.Region", "_ = named.Region"}}, []suite{{name: "secrets", args: []string{"./internal/cli", "-run", "TestHooksRotate_Reads"}}}},
		{"lore: a request whose response was lost counts as not sent", []edit{{"internal/apiclient/client.go", "return c.wanted.Load() && !c.got.Load()", "return c.wanted.Load()"}}, []suite{{name: "requests", args: []string{"./internal/apiclient", "-run", "TestNotSent"}}}},
		{"a comparison is late after a quarter of an hour whatever the interval", []edit{{pass, "time.Duration { return 3 * interval }", "time.Duration { return 3*ReconcileInterval + 0*interval }"}}, ages},
	}
}
