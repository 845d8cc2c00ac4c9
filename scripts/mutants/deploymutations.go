package main

// deployMutations break the template and the deployment.
func deployMutations() []mutation {
	const settings, up = "infra/context.go", "scripts/deploy/up.go"
	return []mutation{
		{"a stack is protected before it exists", []edit{
			{"infra/stack.go", "TerminationProtection: &s.Protected", "TerminationProtection: jsii.Bool(true)"},
		}, synthesis()},
		{"tables stay when the first creation fails", []edit{
			{"infra/tables.go", "RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE", "RemovalPolicy_RETAIN"},
		}, synthesis()},
		{"a misspelt setting deploys the default", []edit{
			{settings, "if slices.Contains(known, name) || ofCDK(name) {", "if slices.Contains(known, name) || ofCDK(name) || true {"},
		}, synthesis()},
		{"all projects are copied unless some are named", []edit{
			{settings, "v := r.text(name, \"\")\n\tif v == \"\" {\n\t\tr.errs", "v := r.text(name, \"*\")\n\tif v == \"\" {\n\t\tr.errs"},
		}, synthesis()},
		{"the estimate of costs leaves out the polling of queues", []edit{
			{"infra/dashboard_cost.go", `, "NumberOfEmptyReceives"}`, "}"},
		}, synthesis()},
		{"an alarm's metric is on no graph", []edit{
			{"infra/dashboard_rows.go", `st.functions.crawler.of("Invocations"`, `st.functions.feed.of("Invocations"`},
		}, synthesis()},
		{"people on call may read the copies", []edit{
			{"infra/callers.go", "st.tables.of(tables.State()).TableArn()", "st.tables.of(tables.Content()).TableArn()"},
		}, synthesis()},
		{"people on call may let a mapping start any function", []edit{
			{"infra/callers.go", `access.Mappings: {"ArnEquals"`, `access.TheWorkflow: {"ArnEquals"`},
		}, synthesis()},
		{"a policy is longer than IAM allows", []edit{
			{"infra/access/callers.go", `c.allow(NamedLogs, "logs:StartQuery")`, `c.allow(FunctionLogs, "logs:StartQuery")`},
		}, synthesis()},
		{"readers may change something", []edit{
			{"infra/access/callers.go", "Methods: []string{http.MethodGet}}", "Methods: []string{http.MethodGet, http.MethodPost}}"},
		}, synthesis()},
		{"the feed reads the stream of the table before it was restored", []edit{
			{"infra/feed.go", `if given := st.settings.ContentStreamARN; given != ""`, `if given := st.settings.ContentStreamARN; given == "none"`},
		}, synthesis()},
		{"no alarm notices that nothing reads the stream", []edit{
			{"infra/alarms.go", "if spec.silence || spec.always {", "if spec.silence {"},
		}, synthesis()},
		{"an update runs without protection", []edit{
			{up, "if before.created() {", "if before.created() && before.failedCreation() {"},
		}, deploying()},
		{"a deployment ends without protection", []edit{
			{up, "if err := cloud.protect(ctx); err != nil {", "if err := ctx.Err(); err != nil {"},
		}, deploying()},
		{"a deployment succeeds whose feed reads the stream of another table", []edit{
			{"scripts/deploy/stream.go", "if stream == given {", "if stream != given {"},
		}, []suite{{name: "streams", args: []string{"./scripts/deploy", "-run", "TestCheckStream"}}}},
		{"no deployment looks at the stream that its feed reads", []edit{
			{up, "return cloud.checkStream(ctx, a.Settings.Given[streamSetting])", "return nil"},
		}, deploying()},
		{"a failed creation stays protected", []edit{
			{up, "if before.protected {", "if before.protected && before.created() {"},
		}, deploying()},
	}
}

func synthesis() []suite { return []suite{{name: "synthesis", args: []string{"./infra"}}} }

// deploying needs every test of deployments, not only those of make test.
func deploying() []suite {
	return []suite{{name: "deploying", args: []string{"./scripts/deploy"}, env: []string{"LOREHOOK_FULL_DEPLOY=1"}}}
}
