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
		means(10, surgical.CodeProjectNotAllowed),
		means(11, surgical.CodeInvalidSignature),
		means(12, surgical.CodePayloadTooLarge),
		means(20, surgical.CodeGitLabUnauthorized),
		means(21, surgical.CodeGitLabForbidden),
		means(22, surgical.CodeGitLabNotFound),
		means(23, surgical.CodeGitLabRateLimited),
		means(24, surgical.CodeGitLabUnavailable),
		means(25, surgical.CodeGitLabTimeout),
		means(30, surgical.CodePreflightFailed),
		means(31, surgical.CodeIngestFailed),
		means(32, surgical.CodeDocsFailed),
		means(33, surgical.CodeEmbedFailed),
		means(34, surgical.CodeAbortedByPeer),
		means(35, surgical.CodeRunCancelled),
		means(36, surgical.CodeRunLost),
		means(40, surgical.CodeQueueUnavailable),
		means(41, surgical.CodeRunNotFound),
		means(42, surgical.CodeEntityNotFound),
		means(43, surgical.CodeConflict),
		{50, apiclient.CodeUnavailable, "the API does not answer"},
		{51, apiclient.CodeForbidden, "AWS credentials are missing or refused"},
		{52, CodeWaitTimeout, "the run did not end within --timeout; it goes on"},
		{53, CodeHookUnhealthy, "a GitLab hook is missing, incomplete, unsigned or disabled"},
		{130, CodeInterrupted, "interrupted; a run goes on"},
	}
}

// means is the exit code of one of the domain's codes.
func means(exit int, code surgical.Code) exitCode { return exitCode{exit, code, code.Means()} }

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
