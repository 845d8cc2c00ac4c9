package searchtest

import (
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// LongDocument returns a document as lists have it if its text is stored in items of its
// own: without the text.
func LongDocument(t testing.TB) content.Document {
	t.Helper()
	db, tables := fakedynamodb.New()
	w := cloud.NewWorld(t, db.Client(), tables)
	ref := fakegitlab.IssueRef(7)
	w.GitLab.SetIssue(fakegitlab.NewIssue(ref.IID, "Long", strings.Repeat("A line of a long description.\n", 10_000), fakegitlab.Time{Time: w.Clock.Now()}))
	w.Sync(w.Request(surgical.OriginManual, ref))
	w.Drive()
	documents, err := w.Content.SomeDocuments(t.Context(), ref, []string{render.EntityID})
	if err != nil {
		t.Fatal(err)
	}
	document := documents[render.EntityID]
	if !document.Long() {
		t.Fatal("the document is stored with its text")
	}
	return document
}
