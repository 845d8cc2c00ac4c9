package main

// expressionMutations weaken a condition that DynamoDB evaluates. The
// conformance suite must catch each one on a real engine.
func expressionMutations() []mutation {
	const runs, jobs, sweep, left, state, retry = "internal/ledger/runs.go", "internal/ledger/jobs.go", "internal/ledger/sweep.go", "internal/ledger/left.go", "internal/ledger/state.go", "internal/ledger/retry.go"
	const condition, closing, hide = "internal/content/guard.go", "internal/ledger/close.go", "internal/content/hide.go"
	by := []suite{conformance()}
	return []mutation{
		{"expression: a commit by an attempt that lost the run", []edit{
			{runs, "return running().And(expression.Name(\"attempt\").Equal(expression.Value(run.Attempt)), uncommitted())", "return running().And(uncommitted())"},
		}, by},
		{"expression: a commit of a run that is committed", []edit{
			{runs, "return expression.AttributeNotExists(expression.Name(\"committed_by\"))", "return expression.AttributeNotExists(expression.Name(\"committed_by_nobody\"))"},
		}, by},
		{"expression: a commit of a run that has ended", []edit{
			{runs, "return expression.Name(\"status\").Equal(expression.Value(surgical.StatusRunning))", "return expression.AttributeExists(expression.Name(\"status\"))"},
		}, by},
		{"expression: a claim past a live lease", []edit{
			{runs, "And(attempt, lease, uncommitted())", "And(attempt, lease.Or(uncommitted()), uncommitted())"},
		}, by},
		{"expression: a claim of a job that is held", []edit{
			{jobs, "\n\t\t\tAnd(expression.Name(\"lease_until\").LessThanEqual(expression.Value(dynamo.Micros(now))).", "\n\t\t\tAnd(expression.AttributeExists(expression.Name(\"lease_until\"))."},
		}, by},
		{"expression: a claim of a job exactly at the end of its lease", []edit{
			{jobs, "expression.Name(\"lease_until\").LessThanEqual(", "expression.Name(\"lease_until\").LessThan("},
		}, by},
		{"expression: a job finished by a claim that lost it", []edit{
			{jobs, ".\n\t\tAnd(expression.Name(\"attempts\").Equal(expression.Value(job.Attempts)))", ""},
		}, by},
		{"expression: a message resent too soon", []edit{
			{sweep, ".Or(sent.LessThanEqual(expression.Value(dynamo.Micros(now.Add(-interval)))))", ".Or(expression.AttributeExists(sent))"},
		}, by},
		{"expression: a run retried twice", []edit{
			{retry, ".\n\t\t\tAnd(expression.AttributeNotExists(expression.Name(\"retried_by\")))", ""},
		}, by},
		{"expression: a pause that is shortened", []edit{
			{state, "Or(at.LessThan(expression.Value(dynamo.Micros(until))))", "Or(expression.AttributeExists(expression.Name(\"until\")))"},
		}, by},
		{"expression: a dirty source drained twice", []edit{
			{left, "WithCondition(expression.AttributeExists(expression.Name(\"dirty_id\")))", "WithCondition(expression.AttributeExists(expression.Name(\"dirty_id\")).Or(expression.AttributeNotExists(expression.Name(\"dirty_id\"))))"},
		}, by},
		{"expression: the first head put over another", []edit{
			{condition, "return expression.AttributeNotExists(expression.Name(\"pk\"))", "return expression.AttributeNotExists(expression.Name(\"pk_of_nobody\"))"},
		}, by},
		{"expression: a head put over a newer revision", []edit{
			{condition, "expression.Name(\"revision\").Equal(expression.Value(base.Revision))", "expression.Name(\"revision\").GreaterThanEqual(expression.Value(base.Revision))"},
		}, by},
		{"expression: documents under a head that changed", []edit{
			{"internal/content/documents.go", "expression.Name(\"revision\").Equal(expression.Value(head.Revision)))", "expression.Name(\"revision\").GreaterThanEqual(expression.Value(head.Revision)))"},
		}, by},
		{"expression: embeddings of a document that changed", []edit{
			{"internal/content/embeddings.go", "expression.Name(\"hash\").Equal(expression.Value(d.Hash)).\n\t\tAnd(expression.Name(\"revision\").Equal(expression.Value(d.Revision))))", "expression.AttributeExists(expression.Name(\"hash\")))"},
		}, by},
		{"expression: a head put over one that GitLab changed later", []edit{
			{condition, "expression.Name(\"updated_at\").LessThanEqual(", "expression.Name(\"revision\").LessThanEqual("},
		}, by},
		{"expression: a head put over one that was fetched later", []edit{
			{condition, ".\n\t\tAnd(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.UnixMicro())))", ""},
		}, by},
		{"expression: a date that went back and is never confirmed", []edit{
			{condition, ".\n\t\t\tOr(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro()))))", ")"},
		}, by},
		{"expression: a date that went back, confirmed too early", []edit{
			{condition, "Or(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(-surgical.Confirmation).UnixMicro()", "Or(fetchedUntil.LessThanEqual(expression.Value(snap.FetchedAt.Add(1-surgical.Confirmation/2).UnixMicro()"},
		}, by},
		{"expression: jobs listed without the counter", []edit{
			{closing, ".\n\t\tAnd(expression.Name(\"jobs_inserted\").Equal(expression.Value(run.JobsInserted)))", ""},
		}, by},
		{"expression: finishing a job of a run that has ended", []edit{
			{"internal/ledger/finishjob.go", "l.runUpdate(f.job.RunID, running(), ", "l.runUpdate(f.job.RunID, expression.AttributeExists(expression.Name(\"status\")), "},
		}, by},
		{"expression: hidden bytes removed without their condition", []edit{
			{hide, "TableName: &s.table, Key: key(ref, sk), ConditionExpression: expr.Condition(),\n\t\t\t\tExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),", "TableName: &s.table, Key: key(ref, sk),"},
			{hide, "expr expression.Expression) error {", "_ expression.Expression) error {"},
		}, by},
		{"expression: hidden bytes of the revision that hides", []edit{
			{hide, "expression.Name(\"revision\").LessThan(", "expression.Name(\"revision\").LessThanEqual("},
		}, by},
	}
}
