package memory

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// Entity is the shape of an issue that is just below a limit of an entity.
type Entity struct {
	Name string
	// Discussions have so many Notes each, of Size bytes.
	Discussions, Notes, Size int
}

// Payload is the size of all comments, in bytes.
func (e Entity) Payload() int64 { return int64(e.Discussions) * int64(e.Notes) * int64(e.Size) }

// fullEnv names the variable that asks for the measurements that take minutes.
const fullEnv = "LOREHOOK_FULL_MEMORY"

// Full reports whether make memory runs the test. Otherwise it takes something small, to
// show that it still measures what it should.
func Full() bool { return os.Getenv(fullEnv) != "" }

// Entities are issues just below each limit of what is fetched of one entity, or a small
// one unless the measurement is [Full].
func Entities() []Entity {
	if !Full() {
		return []Entity{{"3 discussions of 2 comments of 2 KB", 3, 2, 2000}}
	}
	return []Entity{
		{"4 discussions of 15 comments of 1 MB: the bytes of records", 4, 15, 1_000_000},
		{"60 comments of 1 MB: the bytes of an entity", 60, 1, 1_000_000},
		{"14,900 comments of 3.5 KB: the records of an entity", 14_900, 1, 3_500},
	}
}

// Commit puts the issue into the world's GitLab, and commits it by a run whose docs
// stage has yet to run. It returns the run's id.
func (e Entity) Commit(w *cloud.World, ref surgical.EntityRef) string {
	w.T.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for range e.Discussions {
		id := w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: Prose(random, e.Size)})
		for range e.Notes - 1 {
			w.GitLab.AddNote(ref, id, fakegitlab.Note{Body: Prose(random, e.Size)})
		}
	}
	req := w.Request(surgical.OriginManual, ref)
	verdict, err := w.Deliver(req)
	if run := w.Run(req.RunID); err != nil || !cloud.Deleted(verdict) || !run.Committed() {
		w.T.Fatalf("the delivery: %v, %v, run %s: %v", verdict, err, run.Status, run.Error)
	}
	w.Workflow.Forget()
	return req.RunID
}

// Prose returns paragraphs of so many bytes that hardly shrink when they are
// compressed.
func Prose(random *rand.Rand, size int) string {
	var text strings.Builder
	text.Grow(size + 2000)
	for text.Len() < size {
		for range 60 {
			fmt.Fprintf(&text, "%x ", random.Uint64())
		}
		text.WriteString("\n\n")
	}
	return text.String()[:size]
}
