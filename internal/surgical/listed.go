package surgical

import "slices"

// otherState is the list of entities with a state that GitLab does not document.
const otherState = "other"

// ListedStates returns the states that entities of the type are listed by.
func ListedStates(t EntityType) []string {
	if t == MergeRequest {
		return []string{"opened", "closed", "merged", "locked", otherState}
	}
	return []string{"opened", "closed", otherState}
}

// ListedState returns the one of [ListedStates] that an entity is listed by.
func ListedState(t EntityType, state string) string {
	if slices.Contains(ListedStates(t), state) {
		return state
	}
	return otherState
}
