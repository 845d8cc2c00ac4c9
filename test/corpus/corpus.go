// Package corpus is content that reads like a real instance: issues and merge
// requests with their discussions. README.md describes the format.
package corpus

import (
	"bufio"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

//go:embed harbor/*.jsonl
var files embed.FS

// maxLine is the maximum length of an entity's line in bytes.
const maxLine = 16 << 20

// Entity is an issue or a merge request with everything that people wrote in it.
type Entity struct {
	Project     int64               `json:"project"`
	Path        string              `json:"path"`
	Type        surgical.EntityType `json:"type"`
	IID         int64               `json:"iid"`
	State       string              `json:"state"`
	Title       string              `json:"title"`
	Labels      []string            `json:"labels"`
	Author      string              `json:"author"`
	CreatedAt   time.Time           `json:"created_at"`
	Description string              `json:"description"`
	// Discussions are the notes of each discussion, in order.
	Discussions [][]Note `json:"discussions"`
	// DuplicateOf is the key of the entity that describes the same problem, or "".
	DuplicateOf string `json:"duplicate_of"`
}

// Note is a comment.
type Note struct {
	Author    string    `json:"author"`
	CreatedAt time.Time `json:"created_at"`
	Body      string    `json:"body"`
}

// Ref returns the entity's reference.
func (e Entity) Ref() surgical.EntityRef {
	return surgical.EntityRef{ProjectID: e.Project, Target: surgical.Target{Type: e.Type, IID: e.IID}}
}

// Key returns the entity as `<project>#<type>#<iid>`.
func (e Entity) Key() string { return e.Ref().Key() }

// Harbor returns the corpus of this package, in the order of its projects.
func Harbor() ([]Entity, error) {
	names, err := fs.Glob(files, "harbor/*.jsonl")
	if err != nil {
		return nil, err
	}
	var all []Entity
	for _, name := range names {
		entities, err := open(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, entities...)
	}
	return all, nil
}

func open(name string) ([]Entity, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f)
}

// Read returns the entities of a corpus, one JSON object per line. The error names
// the line.
func Read(r io.Reader) ([]Entity, error) {
	var entities []Entity
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e Entity
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		entities = append(entities, e)
	}
	return entities, lines.Err()
}

func (e Entity) check() error {
	switch {
	case e.Project < 1 || e.IID < 1:
		return errors.New("project and iid must be positive")
	case e.Type != surgical.Issue && e.Type != surgical.MergeRequest:
		return fmt.Errorf("type must be %s or %s, got %q", surgical.Issue, surgical.MergeRequest, e.Type)
	case e.Title == "":
		return errors.New("the title is missing")
	}
	return nil
}
