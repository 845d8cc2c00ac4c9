package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/api"
	"gitlab.com/lorehook/lorehook/internal/function/gateway"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

func TestETag_ChangesWithTheContentAndNothingElse(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		path := pathOf(ref)
		read := func(query, etag string) (string, int) {
			t.Helper()
			got := call(f.handler, http.MethodGet, path+query, "", "If-None-Match", etag)
			if got.Code == http.StatusNotModified && got.Body.Len() > 0 {
				t.Errorf("a 304 with a body: %s", got.Body)
			}
			return got.Header().Get("ETag"), got.Code
		}
		commit := func(change func()) {
			f.World.Clock.Advance(10 * time.Second)
			if change != nil {
				change()
			}
			if _, err := f.Deliver(f.Request(surgical.OriginManual, ref)); err != nil {
				t.Fatal(err)
			}
		}
		commit(nil)
		early, _ := read("", `"none"`)
		head, _ := read("?include=discussions,events", `"none"`)
		f.Drive()
		late, code := read("", early)
		if late == early || code != http.StatusOK {
			t.Errorf("documents arrived: %s, %d after %s", late, code, early)
		}
		if etag, code := read("?include=discussions,events", head); etag != head || code != http.StatusNotModified {
			t.Errorf("documents arrived, which are not included: %s, %d after %s", etag, code, head)
		}
		commit(nil)
		f.Drive()
		for _, header := range []string{late, `"x", ` + late, strings.TrimPrefix(late, "W/"), "*"} {
			if etag, code := read("", header); etag != late || code != http.StatusNotModified {
				t.Errorf("If-None-Match: %s after a fetch without a change: %s, %d", header, etag, code)
			}
		}
		seen := []string{late, head}
		for _, query := range []string{"?fields=title", "?include=events", "?limit=3"} {
			etag, _ := read(query, `"none"`)
			if slices.Contains(seen, etag) || etag == "" {
				t.Errorf("%s has the ETag of another representation", query)
			}
			seen = append(seen, etag)
		}
		commit(func() { f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."}) })
		if etag, code := read("", late); etag == late || code != http.StatusOK {
			t.Errorf("after a comment: %s, %d", etag, code)
		}
		seen = append(seen, late)
		late, _ = read("", `"none"`)
		commit(func() { f.GitLab.Redate(ref, f.World.Clock.Now()) })
		if etag, code := read("", late); slices.Contains(append(seen, late), etag) || code != http.StatusOK {
			t.Errorf("after only updated_at moved: %s, %d", etag, code)
		}
		head, _ = read("?include=discussions,events", `"none"`)
		f.exclude()
		if etag, _ := read("?include=discussions,events", head); etag == head {
			t.Errorf("what is excluded has the ETag of what is included")
		}
	})
}

func TestAnEntity_HasOnlyWhatIsIncluded(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		for query, want := range map[string][]string{
			"?fields=title,state":           {"iid", "project_id", "state", "title", "type"},
			"?fields=documents":             {"documents", "iid", "project_id", "type"},
			"?fields=events&include=events": {"events", "iid", "project_id", "type"},
		} {
			got := get[map[string]json.RawMessage](f, pathOf(ref)+query)
			if diff := cmp.Diff(want, keysOf(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
		}
		all := keysOf(get[map[string]json.RawMessage](f, pathOf(ref)))
		for _, part := range []string{"discussions", "events", "documents"} {
			want := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
				return name != part && slices.Contains([]string{"discussions", "events", "documents"}, name)
			})
			if diff := cmp.Diff(want, keysOf(get[map[string]json.RawMessage](f, pathOf(ref)+"?include="+part))); diff != "" {
				t.Errorf("include=%s (-want +got):\n%s", part, diff)
			}
		}
		for _, query := range []string{"?include=notes", "?include=", "?include=events,,documents", "?fields=discussion", "?fields=Title"} {
			if got := call(f.handler, http.MethodGet, pathOf(ref)+query, ""); got.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d %s", query, got.Code, got.Body)
			}
		}
	})
}

func keysOf(object map[string]json.RawMessage) []string {
	var keys []string
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func TestAnEntity_IsReadableAsMarkdown(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		f.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "The last word."})
		f.Webhook(ref)
		read := func(path string) *httptest.ResponseRecorder {
			t.Helper()
			got := call(f.handler, http.MethodGet, path, "", "Accept", "text/markdown, application/json;q=0.5")
			if got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/markdown") {
				t.Fatalf("%s: %d %s %s", path, got.Code, got.Header(), got.Body)
			}
			return got
		}
		whole := read(pathOf(ref))
		text := whole.Body.String()
		entity := get[api.EntityView](f, pathOf(ref))
		if !strings.HasPrefix(text, "# "+entity.Title+"\n") || !strings.HasSuffix(text, "> The last word.\n") || !strings.Contains(text, " added the label ") {
			t.Errorf("the page:\n%s", text)
		}
		if got := call(f.handler, http.MethodGet, pathOf(ref), "", "Accept", "text/markdown", "If-None-Match", whole.Header().Get("ETag")); got.Code != http.StatusNotModified {
			t.Errorf("unchanged: %d", got.Code)
		}
		paged := ""
		for path := pathOf(ref) + "?limit=2"; path != ""; {
			page := read(path)
			paged += page.Body.String()
			next := regexp.MustCompile(`^<(\?[^>]*)>; rel="next"$`).FindStringSubmatch(page.Header().Get("Link"))
			if path = ""; next != nil {
				path = pathOf(ref) + next[1]
			}
		}
		if diff := cmp.Diff(text, paged); diff != "" {
			t.Errorf("page by page (-whole +pages):\n%s", diff)
		}
		cursor := get[api.EntityView](f, pathOf(ref)+"?limit=2").NextCursor
		for query, accept := range map[string]string{"?": "text/markdown", "?include=events&": "application/json", "?fields=discussions&": "application/json"} {
			if got := call(f.handler, http.MethodGet, pathOf(ref)+query+"cursor="+cursor, "", "Accept", accept); got.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s as %s with the cursor of another query: %d %s", query, accept, got.Code, got.Body)
			}
		}
		if only := read(pathOf(ref) + "?include=events").Body.String(); strings.Contains(only, "The last word.") || !strings.Contains(only, " added the label ") {
			t.Errorf("events only:\n%s", only)
		}
		if got := call(f.handler, http.MethodGet, pathOf(fakegitlab.IssueRef(4711)), "", "Accept", "text/markdown"); got.Code != http.StatusNotFound {
			t.Errorf("no copy: %d", got.Code)
		}
		for accept, want := range map[string]string{
			"": "application/json", "*/*": "application/json", "text/*;q=2;": "application/json", "text/markdown;q=0": "application/json",
			"application/json, text/markdown;q=0.9": "application/json", "text/markdown, */*;q=0.1": "text/markdown; charset=utf-8",
		} {
			if got := call(f.handler, http.MethodGet, pathOf(ref), "", "Accept", accept).Header().Get("Content-Type"); got != want {
				t.Errorf("Accept: %s: %s, want %s", accept, got, want)
			}
		}
	})
}

func TestAnAnswer_IsCompressedOnRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, f *fixture) {
		ref := fakegitlab.IssueRef(7)
		f.Webhook(ref)
		handler, err := api.New(f.options())
		if err != nil {
			t.Fatal(err)
		}
		plain := call(handler, http.MethodGet, pathOf(ref), "")
		packed := call(handler, http.MethodGet, pathOf(ref), "", "Accept-Encoding", "gzip, zstd, br")
		if plain.Header().Get("Content-Encoding") != "" || packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() >= plain.Body.Len() {
			t.Fatalf("%d bytes as %q, %d without", packed.Body.Len(), packed.Header().Get("Content-Encoding"), plain.Body.Len())
		}
		for _, answer := range []*httptest.ResponseRecorder{plain, packed} {
			if !strings.Contains(strings.Join(answer.Header().Values("Vary"), ","), "Accept-Encoding") {
				t.Errorf("Vary: %s", answer.Header().Values("Vary"))
			}
		}
		event := events.APIGatewayV2HTTPRequest{RawPath: pathOf(ref), Headers: map[string]string{"accept-encoding": "gzip"}}
		event.RequestContext.HTTP.Method = http.MethodGet
		answer, err := gateway.Adapt(handler)(t.Context(), event)
		if raw, decoding := base64.StdEncoding.DecodeString(answer.Body); err != nil || decoding != nil || !answer.IsBase64Encoded || !bytes.Equal(raw, packed.Body.Bytes()) {
			t.Errorf("through the gateway: base64 %t, %v, %v", answer.IsBase64Encoded, err, decoding)
		}
		unchanged := call(handler, http.MethodGet, pathOf(ref), "", "Accept-Encoding", "gzip", "If-None-Match", plain.Header().Get("ETag"))
		if unchanged.Code != http.StatusNotModified || unchanged.Body.Len() > 0 || unchanged.Header().Get("Content-Encoding") != "" {
			t.Errorf("unchanged: %d, %d bytes, %v", unchanged.Code, unchanged.Body.Len(), unchanged.Header())
		}
		unpacked, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacked)
		if err != nil || string(text) != plain.Body.String() || plain.Header().Get("ETag") != packed.Header().Get("ETag") {
			t.Errorf("unpacked it differs: %v", err)
		}
	})
}
