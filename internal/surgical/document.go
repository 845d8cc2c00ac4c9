package surgical

// DocumentFormat is the version of the documents and chunks that package render
// makes of an entity. A commit that replaces a head of another format renders all
// of the entity's documents again. Version 1 was not recorded.
const DocumentFormat = 3

// Document is deterministic Markdown rendered from an entity or one of its
// discussions, ready for search.
type Document struct {
	// ID is "entity" or "discussion#<id>"; it is unique within the entity.
	ID    string
	Title string
	URL   string
	// Confidential marks documents of confidential entities and of
	// discussions that hold an internal note.
	Confidential bool
	// Text is the Markdown.
	Text string
	// Hash is the hex SHA-256 of all of the above.
	Hash string
	// LeftOut describes what the document does not show, because it has a type
	// that GitLab does not document. It is not stored with the document.
	LeftOut []string
}
