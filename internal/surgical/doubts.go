package surgical

import "time"

// Doubts say, by target and kind of list, when a fetch first ended with a list that
// lacks records of the copy, or comments that GitLab counts, and may not be complete. A list that was seen whole since
// is not in it.
type Doubts map[Target]map[ChildKind]time.Time

// Add adds a list that is doubted since then.
func (d Doubts) Add(target Target, kind ChildKind, since time.Time) {
	if d[target] == nil {
		d[target] = map[ChildKind]time.Time{}
	}
	d[target][kind] = since
}

// ListKinds are the kinds of children that GitLab returns in lists.
func ListKinds() []ChildKind {
	return []ChildKind{KindDiscussion, KindStateEvent, KindLabelEvent, KindMilestoneEvent}
}
