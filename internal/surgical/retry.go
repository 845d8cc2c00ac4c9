package surgical

// CanSucceedLater reports whether a target that failed with the code may
// succeed by a retry: access can be granted, a missing entity stays missing.
func (c Code) CanSucceedLater() bool {
	return c == CodeGitLabForbidden || NewError(c, "").Retryable
}
