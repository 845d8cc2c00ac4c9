package logs

// Fields returns every field name that a log line may have, with its meaning. Code
// that needs a new field adds it here, unless an existing one fits. No field ever
// contains a token, a signature, a title or other text from GitLab.
func Fields() map[string]string {
	return map[string]string{
		// Every line.
		"time":        "when the line was written",
		"level":       "INFO: normal operation; WARN: may need attention; ERROR: needs attention",
		"msg":         "the event or decision, in one or two words",
		"traceparent": "the W3C traceparent of the delivery or request",

		// Subject.
		"run_id":     "the run",
		"project_id": "GitLab's id of the project",
		"type":       "issue or merge_request, for a run with one target",
		"iid":        "the target's number within the project",
		"origin":     "what started the run",
		"targets":    "how many targets are fetched",
		"kind":       "the kind of a pass: backfill or reconcile",
		"pass_id":    "the pass; of a reconcile, its cycle",
		"cycle":      "the cycle of a reconcile that missed events",
		"message_id": "the SQS message id",
		"request_id": "the API Gateway request id, which is also in the access log",
		"method":     "the HTTP method",
		"view":       "the view that the widget or the console shows",
		"route":      "the matched route pattern, never the path",

		// Outcome.
		"outcome":      "how a delivery, a stage, a sweep or a crawl ended",
		"reason":       "why a delivery was ignored or refused, why a crawl did nothing, why a hook does not work, or why there is no log of its deliveries",
		"status":       "the run's status after it was closed, or that of a pass",
		"http_status":  "the HTTP status of the response",
		"stage":        "the stage that the run is in, or was in when it closed",
		"step":         "the step of a sweep that ran out of its share of the time",
		"code":         "the failure's code",
		"cause_code":   "the code of the first target that made the run fail",
		"error":        "the failure's message, for people",
		"error_name":   "the kind of failure: a Go type, or a Step Functions error name such as States.Timeout",
		"stack":        "the stack of a panic",
		"covered_by":   "the run whose fetch covers this run's event",
		"unseen_since": "when GitLab first refused to show the project",
		"backfill":     "whether a backfill was requested, because copies were hidden in the meantime",
		"hook_state":   "whether a project's hook works",
		"taken_by":     "the run that has the id that the message asked for, and is about other entities",

		// Counts and times.
		"attempt":               "the run's attempt number",
		"generation":            "the generation of the run's workflow execution",
		"lost_leases":           "how many workers died while they held the run",
		"jobs":                  "jobs that a commit left to the workflow",
		"delay_ms":              "how long the item waits from now on",
		"duration_ms":           "how long the operation took",
		"freshness_ms":          "time from the receipt of the event to its commit",
		"documents_written":     "documents that a job wrote",
		"documents_regenerated": "documents whose embeddings are outdated after a job",
		"chunks_embedded":       "chunks that a job embedded",
		"workflows_started":     "workflows that a sweep started",
		"runs_finished":         "runs that a sweep finished",
		"runs_failed":           "runs that a sweep failed",
		"runs_postponed":        "runs that a sweep postponed after an execution was lost",
		"failed_stages":         "executions of a run that ended too early",
		"lost_stages":           "executions of a run whose function died",
		"follow_ups":            "follow-ups that a sweep started",
		"messages_resent":       "messages that a sweep sent again",
		"runs_swept":            "runs whose orphans a sweep set to expire",
		"items_expired":         "items that a sweep set to expire",
		"passes":                "passes that were due when a crawl began",
		"passes_finished":       "passes that a crawl finished",
		"passes_failed":         "passes that a crawl failed",
		"pages":                 "pages of lists that a crawl read",
		"runs":                  "runs that a crawl queued, or those of deliveries that failed",
		"findings":              "checks in a row that found that no hook of a project works",
		"missed":                "changes that no delivery announced",
		"tries":                 "failures of a pass in a row",
		"listed":                "entries of lists that a pass has seen",
		"different":             "entities for which a pass requested a run",
		"done":                  "runs of a pass that succeeded",
		"failed":                "runs of a pass that did not succeed",
		"requests":              "requests to GitLab of a pass and its runs",
		"entities_drained":      "entities whose backlog a sweep requested a drain for",
	}
}
