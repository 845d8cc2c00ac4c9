package logs

// Fields are the names that a log line may have, and what each of them means.
// There are no others: whoever needs a new one adds it here, and finds out
// whether an old one says the same. None of them ever holds a token, a
// signature, a title or a text out of GitLab.
func Fields() map[string]string {
	return map[string]string{
		// Every line.
		"time":        "when the line was written",
		"level":       "INFO: as it should be; WARN: somebody may want to know; ERROR: somebody must look",
		"msg":         "the decision, one word or two",
		"traceparent": "the trace of the delivery or request, as W3C writes it",

		// What it is about.
		"run_id":     "the run",
		"project_id": "GitLab's id of the project",
		"type":       "issue or merge_request, of a run with one target",
		"iid":        "the target's number within the project",
		"origin":     "who asked for the run",
		"targets":    "how many targets are fetched",
		"message_id": "SQS's id of the message",
		"request_id": "the gateway's id of the request, which its access log names too",
		"method":     "of an HTTP request",
		"view":       "what the widget or the console shows",
		"route":      "the pattern that the request fits; never its path",

		// What became of it.
		"outcome":     "how a delivery, a stage or a sweep ended",
		"reason":      "why a delivery was ignored or refused",
		"status":      "the run's status after a closing",
		"http_status": "the status that a request was answered with",
		"stage":       "where the run is, or was when it closed",
		"code":        "the code of a failure",
		"cause_code":  "the code of the first target that made the run fail",
		"error":       "a failure in words, for people",
		"error_name":  "the kind of a failure: a Go type, or Step Functions' name such as States.Timeout",
		"stack":       "where a function panicked",
		"covered_by":  "the run whose fetch covers this one's event",

		// Counts and times.
		"attempt":               "the run's attempt",
		"generation":            "the execution of the run's workflow",
		"lost_leases":           "workers that died over the run",
		"jobs":                  "jobs that a commit left to the workflow",
		"delay_ms":              "how long something waits from now on",
		"duration_ms":           "how long it took",
		"freshness_ms":          "from the receipt of the event to its commit",
		"documents_written":     "by a job",
		"documents_regenerated": "by a job: documents whose embeddings are not current",
		"chunks_embedded":       "by a job",
		"workflows_started":     "by a sweep",
		"runs_finished":         "by a sweep",
		"runs_failed":           "by a sweep",
		"messages_resent":       "by a sweep",
		"runs_swept":            "by a sweep: runs whose orphans expire",
		"items_expired":         "by a sweep",
		"entities_drained":      "by a sweep: entities whose backlog was asked for",
	}
}
