package surgical

// Code is the machine-readable kind of a failure. It is the same in the API, the
// ledger and the CLI.
type Code string

// The codes.
const (
	CodeInvalidRequest        Code = "invalid_request"
	CodeProjectNotAllowed     Code = "project_not_allowed"
	CodeInvalidSignature      Code = "invalid_signature"
	CodePayloadTooLarge       Code = "payload_too_large"
	CodeGitLabUnauthorized    Code = "gitlab_unauthorized"
	CodeGitLabForbidden       Code = "gitlab_forbidden"
	CodeGitLabNotFound        Code = "gitlab_not_found"
	CodeGitLabRateLimited     Code = "gitlab_rate_limited"
	CodeGitLabUnavailable     Code = "gitlab_unavailable"
	CodeGitLabTimeout         Code = "gitlab_timeout"
	CodeEntityTooLarge        Code = "entity_too_large"
	CodePreflightFailed       Code = "surgical_preflight_failed"
	CodeIngestFailed          Code = "ingest_failed"
	CodeDocsFailed            Code = "docs_failed"
	CodeEmbedFailed           Code = "embed_failed"
	CodeAbortedByPeer         Code = "aborted_by_peer"
	CodeRunCancelled          Code = "run_cancelled"
	CodeRunLost               Code = "run_lost"
	CodeQueueUnavailable      Code = "queue_unavailable"
	CodeDependencyUnavailable Code = "dependency_unavailable"
	CodeProjectUnknown        Code = "project_unknown"
	CodeRunNotFound           Code = "run_not_found"
	CodeEntityNotFound        Code = "entity_not_found"
	CodeEntityGone            Code = "entity_gone"
	CodeBackfillNotFound      Code = "backfill_not_found"
	CodeFeedRestarted         Code = "feed_restarted"
	CodeBackfillIncomplete    Code = "backfill_incomplete"
	CodeCheckpointOutdated    Code = "checkpoint_outdated"
	CodeIndexNotReady         Code = "index_not_ready"
	CodeConflict              Code = "conflict"
	CodeInternal              Code = "internal"
)

// Codes lists every code: first those of requests, then GitLab's, then those of
// runs.
func Codes() []Code {
	return []Code{
		CodeInvalidRequest, CodeProjectNotAllowed, CodeInvalidSignature, CodePayloadTooLarge,
		CodeGitLabUnauthorized, CodeGitLabForbidden, CodeGitLabNotFound, CodeGitLabRateLimited, CodeGitLabUnavailable, CodeGitLabTimeout, CodeEntityTooLarge,
		CodePreflightFailed, CodeIngestFailed, CodeDocsFailed, CodeEmbedFailed, CodeAbortedByPeer, CodeRunCancelled, CodeRunLost,
		CodeBackfillIncomplete, CodeCheckpointOutdated,
		CodeQueueUnavailable, CodeDependencyUnavailable, CodeProjectUnknown, CodeRunNotFound, CodeBackfillNotFound, CodeEntityNotFound, CodeEntityGone, CodeFeedRestarted, CodeIndexNotReady, CodeConflict, CodeInternal,
	}
}

// Means describes in a few words what happened, for lists of codes. It is empty
// for an unknown code.
func (c Code) Means() string {
	return map[Code]string{
		CodeInvalidRequest:        "the request is invalid",
		CodeProjectNotAllowed:     "the project is not on the allow list",
		CodeInvalidSignature:      "the webhook's signature or token is wrong",
		CodePayloadTooLarge:       "the payload or request is too large",
		CodeGitLabUnauthorized:    "GitLab refused the token",
		CodeGitLabForbidden:       "GitLab denied the token access",
		CodeGitLabNotFound:        "GitLab does not have the entity, or hides it from the token",
		CodeGitLabRateLimited:     "GitLab's rate limit was reached",
		CodeGitLabUnavailable:     "GitLab is unreachable or failing",
		CodeGitLabTimeout:         "GitLab did not answer in time",
		CodeEntityTooLarge:        "the entity is larger than what Lorehook stores",
		CodePreflightFailed:       "targets could not be fetched; nothing was written",
		CodeIngestFailed:          "the fetched copies could not be stored",
		CodeDocsFailed:            "documents could not be generated; the copies are stored",
		CodeEmbedFailed:           "embeddings could not be generated; the documents are stored",
		CodeAbortedByPeer:         "another target of the same run failed",
		CodeRunCancelled:          "the run was cancelled",
		CodeRunLost:               "too many workers ended while they held the run",
		CodeQueueUnavailable:      "the queue is unreachable",
		CodeDependencyUnavailable: "something that the answer needs is out of reach, or did not answer in time",
		CodeProjectUnknown:        "no such project is known",
		CodeRunNotFound:           "there is no such run",
		CodeBackfillNotFound:      "there is no such backfill, or a later one took its place",
		CodeBackfillIncomplete:    "a backfill could not bring everything up to date",
		CodeCheckpointOutdated:    "another version of Lorehook wrote the checkpoint",
		CodeEntityNotFound:        "there is no copy of the entity",
		CodeEntityGone:            "GitLab no longer shows the entity, and its copy is removed",
		CodeFeedRestarted:         "the change feed was restarted: what changed before is not known",
		CodeIndexNotReady:         "there is no search index that can answer yet",
		CodeConflict:              "the request conflicts with the current state",
		CodeInternal:              "an unexpected failure",
	}[c]
}

func (c Code) advice() (action Action, retryable bool) {
	switch c {
	case CodeInvalidRequest, CodeProjectNotAllowed, CodeInvalidSignature, CodePayloadTooLarge, CodeProjectUnknown, CodeRunNotFound, CodeBackfillNotFound, CodeEntityNotFound, CodeEntityGone, CodeFeedRestarted, CodeConflict:
		return ActionFixRequest, false
	case CodeGitLabUnauthorized:
		return ActionCheckToken, true
	case CodeGitLabForbidden:
		return ActionGrantAccess, false
	case CodeGitLabNotFound:
		return ActionVerifyIID, false
	case CodeEntityTooLarge:
		return ActionContactOperator, false
	case CodeGitLabRateLimited, CodeGitLabUnavailable, CodeGitLabTimeout, CodeQueueUnavailable, CodeDependencyUnavailable, CodeIndexNotReady:
		return ActionRetryAfter, true
	case CodeBackfillIncomplete, CodeCheckpointOutdated, CodePreflightFailed, CodeIngestFailed, CodeDocsFailed, CodeEmbedFailed, CodeAbortedByPeer, CodeRunCancelled, CodeRunLost:
		return ActionRetryFailed, true
	default:
		return ActionContactOperator, true
	}
}

// CanSucceedLater reports whether a retry of a target that failed with the code
// may succeed: access can be granted, a missing entity stays missing.
func (c Code) CanSucceedLater() bool { return NewError(c, "").CanSucceedLater() }

// PausesAll reports whether everything that asks GitLab has to wait: the budget is
// spent, or the token is refused.
func (c Code) PausesAll() bool { return c == CodeGitLabRateLimited || c == CodeGitLabUnauthorized }
