package api_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// forgetOutlines makes the manifests of all entities those of an earlier version.
func (f *fixture) forgetOutlines() {
	f.Helper()
	out, err := f.DB.Scan(f.Context(), &dynamodb.ScanInput{TableName: &f.Tables.Content})
	if err != nil || out.LastEvaluatedKey != nil {
		f.Fatal("the scan ends early", err)
	}
	forgotten := 0
	for _, item := range out.Items {
		children, ok := item["children"].(*types.AttributeValueMemberM)
		if !ok || children.Value["outlines"] == nil {
			continue
		}
		delete(children.Value, "outlines")
		if _, err := f.DB.PutItem(f.Context(), &dynamodb.PutItemInput{TableName: &f.Tables.Content, Item: item}); err != nil {
			f.Fatal(err)
		}
		forgotten++
	}
	if forgotten == 0 {
		f.Fatal("no manifest has outlines")
	}
}

// answers follows cursors to the end, and returns each page with its ETag, as it was sent.
func (f *fixture) answers(path, query string) (pages []string) {
	f.Helper()
	for cursor := ""; ; {
		w := call(f.handler, http.MethodGet, path+"?"+query+cursor, "")
		pages = append(pages, w.Header().Get("ETag")+" "+w.Body.String())
		page := decode[api.EntityView](f.T, w, http.StatusOK)
		if page.NextCursor == "" || len(pages) > 200 {
			return pages
		}
		cursor = "&cursor=" + page.NextCursor
	}
}

// Without outlines, everything is read for each page, as earlier versions do.
func TestPages_AreTheSameHoweverTheyAreRead(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		for i := range 40 {
			f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: strings.Repeat("Word. ", 1+(i*37)%900), Internal: i%3 == 0}, fakegitlab.Note{Body: "Reply.", Internal: i%4 == 0})
		}
		f.Webhook(ref)
		read := func() map[string][]string {
			all := map[string][]string{}
			for _, policy := range []surgical.Policy{surgical.Include, surgical.Exclude} {
				f.policy = policy
				f.handler = serve(f.T, f.options())
				for _, query := range []string{"", "limit=1", "limit=9", "limit=10000", "limit=5&include=events", "limit=7&include=discussions", "limit=7&include=documents", "limit=3&fields=events", "fields=title", "limit=4&fields=entity,documents"} {
					all[string(policy)+" "+query] = f.answers(pathOf(ref), query)
				}
			}
			return all
		}
		apart := read()
		f.forgetOutlines()
		if diff := cmp.Diff(read(), apart); diff != "" {
			t.Errorf("pages (-read as a whole +read one by one):\n%s", diff)
		}
		for query, pages := range apart {
			if strings.HasPrefix(query, string(surgical.Exclude)) && strings.Contains(strings.Join(pages, ""), `"internal":true`) {
				t.Errorf("%s shows internal notes", query)
			}
		}
	})
}

// overtaken commits something between the reading of an entity's documents and that of its
// children.
type overtaken struct {
	*content.Reader
	commit func()
}

func (o overtaken) ReadRevision(ctx context.Context, ref surgical.EntityRef, read func(*content.Revision) error) error {
	o.commit()
	return o.Reader.ReadRevision(ctx, ref, read)
}

func TestPages_ShowOneRevisionWhateverIsCommittedInBetween(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		cursor := get[api.EntityView](f, pathOf(ref)+"?limit=1").NextCursor
		options := f.options()
		options.Content = overtaken{f.Content.ForReaders(f.Ledger.ProjectHiddenAt, f.policy), func() {
			f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."})
			f.World.Clock.Advance(time.Minute)
			f.Sync(f.Request(surgical.OriginManual, ref))
		}}
		moving := serve(f.T, options)
		w := call(moving, http.MethodGet, pathOf(ref)+"?limit=1&cursor="+cursor, "")
		if p := problemIn(t, w, http.StatusConflict); p.Code != surgical.CodeConflict {
			t.Errorf("%+v", p)
		}
		first := call(moving, http.MethodGet, pathOf(ref)+"?include=discussions", "")
		if again := call(f.handler, http.MethodGet, pathOf(ref)+"?include=discussions", ""); first.Header().Get("ETag") != again.Header().Get("ETag") || first.Body.String() != again.Body.String() {
			t.Errorf("the first page is not of the newest revision: %s", first.Body)
		}
	})
}

func TestPages_NameWhatIsTooLargeOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(9)
		f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "Before."})
		f.World.Clock.Advance(time.Minute)
		large := f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: strings.Repeat(`"`, 3<<20)})
		f.World.Clock.Advance(time.Minute)
		f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "After."})
		req := f.Request(surgical.OriginManual, ref)
		req.Options.NoDocs, req.Options.NoEmbed = true, true
		f.Sync(req)
		whole, count := pages(f, pathOf(ref)+"?limit=1")
		if len(whole.Omitted) != 1 || whole.Omitted[0].ID != large || count < 2 {
			t.Errorf("omitted on %d pages: %+v", count, whole.Omitted)
		}
	})
}

func TestPages_OfACursorThatWasMadeUpAreRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		hidden := f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "Between us.", Internal: true})
		shown := f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "Hello."})
		f.World.Clock.Advance(time.Minute)
		f.Webhook(ref)
		f.exclude()
		for place, want := range map[string]int{
			`{"e":"1#issue#7","r":2,"c":"discussion#` + shown + `"}`:  http.StatusOK,
			`{"e":"1#issue#7","r":2,"c":"discussion#` + hidden + `"}`: http.StatusUnprocessableEntity,
			`{"e":"1#issue#7","r":2,"c":"discussion#none"}`:           http.StatusUnprocessableEntity,
			`{"e":"1#issue#7","r":2,"n":1}`:                           http.StatusUnprocessableEntity, // of an earlier version
		} {
			if got := call(f.handler, http.MethodGet, pathOf(ref)+"?cursor="+base64.RawURLEncoding.EncodeToString([]byte(place)), ""); got.Code != want {
				t.Errorf("%s: %d %s", place, got.Code, fmt.Sprintf("%.200s", got.Body))
			}
		}
	})
}
