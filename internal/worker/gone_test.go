package worker_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// holding lists the items of the content table that hold the text and do not expire,
// and those that do.
func (w *world) holding(secret string) (stays, expires []string) {
	w.T.Helper()
	for _, item := range w.Rows(w.Tables.Content) {
		for _, value := range item {
			if s, ok := value.(*types.AttributeValueMemberS); !ok || !strings.Contains(s.Value, secret) {
				continue
			}
			if item["expires_at"] == nil {
				stays = append(stays, text(item["sk"]))
			} else {
				expires = append(expires, text(item["sk"]))
			}
		}
	}
	return slices.Compact(stays), slices.Compact(expires) // an item may hold it in several attributes
}

// Its text leaves the documents with the next commit, and the table with what expires
// within the hour.
func TestProcess_ForgetsACommentThatIsDeletedOrRedacted(t *testing.T) {
	const secret = "hunter2, the password of everything"
	for name, remove := range map[string]func(w *world, discussion string){
		"deleted":  func(w *world, discussion string) { w.GitLab.DeleteDiscussion(issue7, discussion) },
		"redacted": func(w *world, discussion string) { w.redact(discussion, secret) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			discussion := w.GitLab.AddDiscussion(issue7, fakegitlab.Note{Body: "It is " + secret})
			w.Sync(w.Request(surgical.OriginWebhook, issue7))
			if stays, _ := w.holding(secret); len(stays) != 2 {
				t.Fatalf("stored in %v, want the child and its document", stays)
			}
			remove(w, discussion)
			w.Clock.Advance(time.Minute)
			w.Sync(w.Request(surgical.OriginManual, issue7))
			stays, expires := w.holding(secret)
			if len(stays) > 0 || len(expires) != 1 {
				t.Errorf("it stays in %v, and expires in %v", stays, expires)
			}
			if _, err := cloud.Expire(t.Context(), w.DB, w.Tables.Content); err != nil {
				t.Fatal(err)
			}
			if stays, expires := w.holding(secret); len(stays)+len(expires) > 0 {
				t.Errorf("after TTL: %v, %v", stays, expires)
			}
		})
	}
}

// redact replaces the secret in the discussion's note.
func (w *world) redact(discussion, secret string) {
	for _, d := range w.GitLab.Discussions(issue7) {
		if d.ID == discussion {
			w.GitLab.EditNote(issue7, d.Notes[0].ID, strings.ReplaceAll(d.Notes[0].Body, secret, "[redacted]"))
		}
	}
}

func TestProcess_KeepsAMovedIssueThatPointsToItsNewPlace(t *testing.T) {
	w := newWorld(t)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.GitLab.AddProject(2, "demo/elsewhere")
	to := w.GitLab.Move(issue7, 2)
	w.Clock.Advance(time.Minute)
	w.Sync(w.Request(surgical.OriginWebhook, issue7))
	w.Sync(w.Request(surgical.OriginWebhook, to))
	left, moved := w.head(issue7), w.head(to)
	if left.Attributes.State != "closed" || left.Attributes.MovedTo == 0 || moved.Attributes.MovedTo != 0 || moved.Attributes.State != "opened" {
		t.Errorf("left %+v, moved %+v", left.Attributes, moved.Attributes)
	}
	document, err := w.Content.Document(t.Context(), issue7, "entity")
	if err != nil || !strings.Contains(document.Text, "Moved to: the issue with GitLab's id") {
		t.Errorf("%v, the document:\n%s", err, document.Text)
	}
	if w.shown(issue7) != "" {
		t.Errorf("it is %s", w.shown(issue7))
	}
}
