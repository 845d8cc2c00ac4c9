package content

import "slices"

// DocumentSet says which documents of an entity are meant. Its zero value means all of them.
type DocumentSet struct {
	some bool
	ids  []string
}

// OnlyDocuments means the documents with the ids; none if there are no ids.
func OnlyDocuments(ids ...string) DocumentSet {
	only := DocumentSet{some: true}
	for _, id := range ids {
		if !only.Has(id) {
			only.ids = append(only.ids, id)
		}
	}
	return only
}

// All reports whether all documents are meant.
func (s DocumentSet) All() bool { return !s.some }

// Has reports whether the document with the id is meant.
func (s DocumentSet) Has(id string) bool { return s.All() || slices.Contains(s.ids, id) }
