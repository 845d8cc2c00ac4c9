package cli

import (
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Codes of failures that the program alone can meet.
const (
	// CodeWaitTimeout: --wait took longer than --timeout; the run goes on.
	CodeWaitTimeout surgical.Code = "wait_timeout"
	// CodeHookUnhealthy: a hook is missing, incomplete, unsigned or disabled.
	CodeHookUnhealthy surgical.Code = "hook_unhealthy"
	// CodeInterrupted: the user ended the program; a run goes on.
	CodeInterrupted surgical.Code = "interrupted"
)

// exitCode gives one code its exit code.
type exitCode struct {
	Exit  int           `json:"exit"`
	Code  surgical.Code `json:"code"`
	About string        `json:"about"`
}

// unexpected is the exit code of what has none.
const unexpected = 1

// exitCodes is the whole table. Scripts rely on it: a number is never changed,
// and never given to another code.
func exitCodes() []exitCode {
	return []exitCode{
		{0, "ok", "it went well"},
		{unexpected, surgical.CodeInternal, "an unexpected failure, here or in the API"},
		{2, surgical.CodeInvalidRequest, "the command line or the request is wrong"},
		{10, surgical.CodeProjectNotAllowed, "the project is not on the allow list"},
		{11, surgical.CodeInvalidSignature, "the webhook's signature or token is wrong"},
		{12, surgical.CodePayloadTooLarge, "the payload or request is too large"},
		{20, surgical.CodeGitLabUnauthorized, "GitLab refused the token"},
		{21, surgical.CodeGitLabForbidden, "GitLab forbids it to this token"},
		{22, surgical.CodeGitLabNotFound, "GitLab does not have it, or not for this token"},
		{23, surgical.CodeGitLabRateLimited, "GitLab asks for fewer requests"},
		{24, surgical.CodeGitLabUnavailable, "GitLab is out of reach or failing"},
		{25, surgical.CodeGitLabTimeout, "GitLab did not answer in time"},
		{30, surgical.CodePreflightFailed, "targets could not be fetched; nothing was written"},
		{31, surgical.CodeIngestFailed, "the fetched copies could not be stored"},
		{32, surgical.CodeDocsFailed, "documents could not be made; the copies are stored"},
		{33, surgical.CodeEmbedFailed, "embeddings could not be made; the documents are stored"},
		{34, surgical.CodeAbortedByPeer, "another target of the same run failed"},
		{35, surgical.CodeRunCancelled, "the run was cancelled"},
		{36, surgical.CodeRunLost, "too many workers ended while they held the run"},
		{40, surgical.CodeQueueUnavailable, "the queue is out of reach"},
		{41, surgical.CodeRunNotFound, "there is no such run"},
		{42, surgical.CodeEntityNotFound, "there is no copy of the entity"},
		{43, surgical.CodeConflict, "it contradicts what is there"},
		{50, apiclient.CodeUnavailable, "the API does not answer"},
		{51, apiclient.CodeForbidden, "AWS credentials are missing or refused"},
		{52, CodeWaitTimeout, "the run did not end within --timeout; it goes on"},
		{53, CodeHookUnhealthy, "a GitLab hook is missing, incomplete, unsigned or disabled"},
		{130, CodeInterrupted, "interrupted; a run goes on"},
	}
}

// exitOf is the exit code of a failure's code; [unexpected] for one that a
// newer API invented.
func exitOf(code surgical.Code) int {
	for _, e := range exitCodes() {
		if e.Code == code {
			return e.Exit
		}
	}
	return unexpected
}
