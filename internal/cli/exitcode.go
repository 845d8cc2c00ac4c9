package cli

import (
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Codes for failures that occur only in this program.
const (
	// CodeWaitTimeout means that the run did not end within --timeout. It continues.
	CodeWaitTimeout surgical.Code = "wait_timeout"
	// CodeRunAmbiguous means that the ids of several runs begin with what was given.
	CodeRunAmbiguous surgical.Code = "run_ambiguous"
	// CodeCheckFailed means that lore doctor found a failure.
	CodeCheckFailed surgical.Code = "check_failed"
	// CodeHookUnhealthy means that a hook is missing, incomplete, unsigned or
	// disabled.
	CodeHookUnhealthy surgical.Code = "hook_unhealthy"
	// CodeOutputFailed means that stdout could not be written, as on a full disk.
	CodeOutputFailed surgical.Code = "output_failed"
	// CodeInterrupted means that the user interrupted the program. A run that it
	// started continues.
	CodeInterrupted surgical.Code = "interrupted"
)

// exitCode maps a code to its exit code.
type exitCode struct {
	Exit  int           `json:"exit"`
	Code  surgical.Code `json:"code"`
	About string        `json:"about"`
}

// unexpected is the exit code for codes that have none.
const unexpected = 1

// exitCodes returns the whole table. Scripts rely on it: a number never changes
// and is never reused.
func exitCodes() []exitCode {
	return []exitCode{
		{0, "ok", "success"},
		{unexpected, surgical.CodeInternal, "an unexpected failure, here or in the API"},
		{2, surgical.CodeInvalidRequest, "the command line or the request is invalid"},
		means(10, surgical.CodeProjectNotAllowed),
		means(11, surgical.CodeInvalidSignature),
		means(12, surgical.CodePayloadTooLarge),
		means(20, surgical.CodeGitLabUnauthorized),
		means(21, surgical.CodeGitLabForbidden),
		means(22, surgical.CodeGitLabNotFound),
		means(23, surgical.CodeGitLabRateLimited),
		means(24, surgical.CodeGitLabUnavailable),
		means(25, surgical.CodeGitLabTimeout),
		means(26, surgical.CodeEntityTooLarge),
		means(30, surgical.CodePreflightFailed),
		means(31, surgical.CodeIngestFailed),
		means(32, surgical.CodeDocsFailed),
		means(33, surgical.CodeEmbedFailed),
		means(34, surgical.CodeAbortedByPeer),
		means(35, surgical.CodeRunCancelled),
		means(36, surgical.CodeRunLost),
		means(37, surgical.CodeBackfillIncomplete),
		means(38, surgical.CodeCheckpointOutdated),
		means(40, surgical.CodeQueueUnavailable),
		means(41, surgical.CodeRunNotFound),
		means(42, surgical.CodeEntityNotFound),
		means(43, surgical.CodeConflict),
		means(44, surgical.CodeEntityGone),
		means(45, surgical.CodeProjectUnknown),
		means(46, surgical.CodeBackfillNotFound),
		means(47, surgical.CodeFeedRestarted),
		means(48, surgical.CodeIndexNotReady),
		means(49, surgical.CodeDependencyUnavailable),
		{50, apiclient.CodeUnavailable, "the API is not responding"},
		{51, apiclient.CodeForbidden, "AWS credentials are missing or were denied"},
		{52, CodeWaitTimeout, "the run did not end within --timeout; it continues"},
		{53, CodeHookUnhealthy, "a GitLab hook is missing, incomplete, unsigned or disabled"},
		{54, CodeOutputFailed, "the output could not be written, as on a full disk; the command itself may have succeeded"},
		{55, CodeRunAmbiguous, "the ids of several runs begin with the given one; candidates lists them"},
		{56, CodeCheckFailed, "lore doctor found a failure; checks has all that it looked at"},
		{130, CodeInterrupted, "interrupted; the run continues"},
	}
}

// means returns the entry for one of the domain's codes.
func means(exit int, code surgical.Code) exitCode { return exitCode{exit, code, code.Means()} }

// exitOf returns the exit code for a code, or [unexpected] for a code of a newer
// API.
func exitOf(code surgical.Code) int {
	for _, e := range exitCodes() {
		if e.Code == code {
			return e.Exit
		}
	}
	return unexpected
}
