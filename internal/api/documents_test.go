package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// texts follows the cursors of a list of documents.
func texts(f *fixture, path string) (list []api.DocumentView, pages int) {
	f.Helper()
	for cursor := ""; ; {
		page := get[api.DocumentList](f, path+cursor)
		list = append(list, page.Documents...)
		pages++
		if page.NextCursor == "" {
			return list, pages
		}
		if cursor = "&cursor=" + page.NextCursor; pages > 1000 {
			f.Fatalf("%s has no end", path)
		}
	}
}

func TestDocumentsAreReadWholeInPagesOfAnyLength(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		long := strings.Repeat("a long comment, ", 60_000)
		for range 6 {
			f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: long})
		}
		req := f.Request(surgical.OriginManual, ref)
		req.Options.NoEmbed = true
		f.Sync(req)
		infos := get[api.EntityView](f, pathOf(ref)+"?limit=10000")
		for infos.NextCursor != "" {
			infos = get[api.EntityView](f, pathOf(ref)+"?cursor="+infos.NextCursor)
		}
		for _, limit := range []int{1, 3, 100} {
			got, pages := texts(f, fmt.Sprintf("%s/documents?limit=%d", pathOf(ref), limit))
			if limit == 100 && pages < 2 {
				t.Error("one page: the test shows nothing")
			}
			whole := 0
			var plain []api.DocumentInfo
			for _, d := range got {
				plain = append(plain, d.DocumentInfo)
				if strings.Contains(d.Text, long[:len(long)-1]) {
					whole++
				}
				if d.Text == "" {
					t.Errorf("%s has no text", d.ID)
				}
			}
			if diff := cmp.Diff(infos.Documents, plain); diff != "" || whole != 6 {
				t.Errorf("limit %d: %d long documents are whole (-entity +documents):\n%s", limit, whole, diff)
			}
		}
	})
}

// All documents of an entity have its title.
func TestDocuments_AreToldApartByWhoBeganThemWhenAndHow(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		opened := instant("2026-05-20T09:12:00Z")
		ref := fakegitlab.IssueRef(99)
		f.GitLab.SetIssue(fakegitlab.NewIssue(99, "Slow start page", "It takes seconds to draw.", opened))
		f.GitLab.AddDiscussion(ref, fakegitlab.Note{Author: fakegitlab.Mira(), CreatedAt: opened, UpdatedAt: opened, Body: "Which browser?"})
		f.GitLab.AddDiscussion(ref, fakegitlab.Note{Author: fakegitlab.User{ID: 23, Username: "ines.carvalho", Name: "Inês Carvalho"}, CreatedAt: opened, UpdatedAt: opened, Body: "Set `carousel: false`."})
		f.Webhook(ref)
		infos := get[api.EntityView](f, pathOf(ref)).Documents
		var told []string
		for _, d := range infos {
			told = append(told, fmt.Sprintf("%s %s %s", d.Author, d.CreatedAt.Format(time.RFC3339), d.Begins))
		}
		slices.Sort(told)
		if diff := cmp.Diff([]string{
			"ines.carvalho 2026-05-20T09:12:00Z Set `carousel: false`.", "mira.oduya 2026-05-20T09:12:00Z It takes seconds to draw.", "mira.oduya 2026-05-20T09:12:00Z Which browser?",
		}, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, query := range []string{"?fields=documents", "?include=documents"} {
			if diff := cmp.Diff(infos, get[api.EntityView](f, pathOf(ref)+query).Documents); diff != "" {
				t.Errorf("%s (-without it +got):\n%s", query, diff)
			}
		}
	})
}

func TestHiddenDocumentsAreNotRead(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		f.GitLab.EditIssue(ref, func(i *fakegitlab.Issue) { i.Confidential = true })
		f.World.Clock.Advance(10 * time.Second)
		if _, err := f.Deliver(f.Request(surgical.OriginManual, ref)); err != nil {
			t.Fatal(err)
		}
		if got, _ := texts(f, pathOf(ref)+"/documents?limit=2"); len(got) != 0 {
			t.Errorf("%d documents are shown", len(got))
		}
		p := problemIn(t, call(f.handler, http.MethodGet, "/v1/projects/1/issues/8/documents", ""), http.StatusNotFound)
		if p.Code != surgical.CodeEntityNotFound {
			t.Errorf("%+v", p)
		}
	})
}
