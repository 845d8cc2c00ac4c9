package surgical

import "time"

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
	// Beginning tells the document from the others of its entity, which all have the
	// entity's title. It is read from the text, and not part of the hash: a change of how
	// changes no document.
	Beginning Beginning
	// LeftOut describes what the document does not show, because it has a type
	// that GitLab does not document. It is not stored with the document.
	LeftOut []string
}

// Beginning says how a document begins.
type Beginning struct {
	// Author is the user name of who began the discussion or opened the entity, "" if
	// GitLab names none.
	Author string
	// At is when that was, in whole seconds; zero if GitLab's time cannot be read.
	At time.Time
	// Words are the first words of the first comment or the description, on one line and
	// at most 60 characters; "" if there are none.
	Words string
}
