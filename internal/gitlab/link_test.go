package gitlab

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNextLink_FindsTheNextPageAmongForeignLinks(t *testing.T) {
	requested, err := url.Parse("https://gitlab.example.com/api/v4/projects/1/issues/7/discussions?page=1")
	if err != nil {
		t.Fatal(err)
	}
	const next = "http://10.0.0.1/api/v4/projects/1/issues/7/discussions?cursor=a%2Cb"
	for name, tt := range map[string]struct {
		values []string
		want   string
	}{
		"no header":                    {nil, ""},
		"GitLab's":                     {[]string{`<` + next + `>; rel="next", <http://10.0.0.1/x>; rel="first"`}, next},
		"without quotes":               {[]string{`<` + next + `>; rel=next`}, next},
		"in capitals, several types":   {[]string{`<` + next + `>; REL="Last NEXT"`}, next},
		"rel is not the first":         {[]string{`<` + next + `>; title="a, b; rel=prev"; rel="next"`}, next},
		"a parameter without a value":  {[]string{`<` + next + `>; crossorigin; rel="next"`}, next},
		"foreign ones joined before":   {[]string{`<https://cdn.example.com/a,b>; rel=preload; nopush, <` + next + `>; rel="next"`}, next},
		"foreign ones in other lines":  {[]string{`</a.css>; rel=preload`, `<` + next + `>; rel="next"`, `</b.css>; rel=preload`}, next},
		"garbage in front":             {[]string{`rubbish, ;;, <` + next + `>; rel="next"`}, next},
		"relative":                     {[]string{`<?page=2>; rel="next"`}, "https://gitlab.example.com/api/v4/projects/1/issues/7/discussions?page=2"},
		"a next that is not this list": {[]string{`<https://cdn.example.com/article/2>; rel="next"`}, ""},
		"a host that cannot be":        {[]string{`<https://a,b/api/v4/projects/1/issues/7/discussions?page=2>; rel="next"`}, ""},
		"only the first rel counts":    {[]string{`<` + next + `>; rel="prev"; rel="next"`}, ""},
		"an open bracket":              {[]string{`<` + next}, ""},
		"an open quote":                {[]string{`<` + next + `>; title="x; rel="next"`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Link": tt.values}
			got := ""
			if u := nextLink(header, requested); u != nil {
				got = u.String()
			}
			if got != tt.want {
				t.Errorf("next = %q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever the header is, parsing ends, and what is left of it is harmless: the official
// client goes to the same page.
func FuzzReadableLink(f *testing.F) {
	for _, seed := range []string{`<https://a.example/x?page=2>; rel="next"`, `<a>; crossorigin; rel="x", <b>;;`, `<`, `;=",<>`, `<x,y;z>; rel=next`, `<//a,b/x>; rel=next`, `<x?cursor=a,b;c+d%3D>; rel=next`} {
		f.Add(seed)
	}
	requested := &url.URL{Scheme: "https", Host: "gitlab.example.com", Path: "/x"}
	f.Fuzz(func(t *testing.T, value string) {
		header := http.Header{"Link": {value}}
		next := nextPlace(&response{header: header, url: requested})
		readableLink(header, requested)
		theirs := officialNext(t, answers{header})
		switch {
		case next == nil && len(theirs) > 0, next != nil && next.cursor != "" && next.query().Encode() != theirs.Encode():
			t.Errorf("%q: we go to %+v, the official client to %q", value, next, theirs.Encode())
		case next != nil && next.cursor == "" && strconv.FormatInt(next.number, 10) != strings.TrimLeft(theirs.Get("page"), "+0"):
			t.Errorf("%q: we go to page %d, the official client to %q", value, next.number, theirs.Get("page"))
		}
	})
}

// officialNext returns the parameters of the next page as the official client reads them
// from an answer; it panics if it cannot read it.
func officialNext(t *testing.T, transport http.RoundTripper) url.Values {
	t.Helper()
	link, err := url.Parse(official(t, "https://gitlab.example.com", "x", "", transport).NextLink)
	if err != nil {
		t.Fatal(err)
	}
	return link.Query()
}

type answers struct{ header http.Header }

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: a.header, Body: http.NoBody, Request: req}, nil
}

// It panics on the first link as it came.
func TestAuthentic_LeavesTheOfficialClientTheNextPage(t *testing.T) {
	header := http.Header{"Link": {`<https://cdn.example.com/a,b>; nopush; rel=preload, <https://10.0.0.1/api/v4/x?cursor=a;b,c>; rel="next"`}}
	got := officialNext(t, Authentic(answers{header}, time.Now))
	if diff := cmp.Diff(url.Values{"cursor": {"a;b,c"}}, got); diff != "" {
		t.Errorf("next page (-want +got):\n%s", diff)
	}
}

// The official client reads the same headers, where it can.
func TestNextPlace_IsTheOfficialClients(t *testing.T) {
	const list = "https://10.0.0.1/api/v4/x"
	for name, tt := range map[string]struct {
		header http.Header
		want   *place
	}{
		"none":                         {http.Header{}, nil},
		"the last page":                {http.Header{"X-Next-Page": {""}, "X-Page": {"3"}, "X-Total-Pages": {"3"}}, nil},
		"by number":                    {http.Header{"X-Next-Page": {"4"}, "X-Prev-Page": {"2"}, "X-Page": {"3"}, "X-Total-Pages": {"5"}, "X-Per-Page": {"20"}}, &place{number: 4}},
		"a number before a link":       {http.Header{"X-Next-Page": {"4"}, "Link": {`<` + list + `?page=9>; rel="next"`}}, &place{number: 4}},
		"a number that is none":        {http.Header{"X-Next-Page": {"four"}, "Link": {`<` + list + `?page=9>; rel="next"`}}, &place{number: 9}},
		"a number that is negative":    {http.Header{"X-Next-Page": {"-4"}, "X-Total-Pages": {"-1"}}, nil},
		"numbers that are too large":   {http.Header{"X-Next-Page": {"99999999999999999999"}, "X-Total-Pages": {"99999999999999999999"}}, &place{number: math.MaxInt64}},
		"a link by number":             {http.Header{"Link": {`<` + list + `?page=2&per_page=100>; rel="next"`}}, &place{number: 2}},
		"a link by cursor":             {http.Header{"Link": {`<` + list + `?cursor=eyJp%3D%3D&per_page=100>; rel="next"`}}, &place{cursor: "cursor=eyJp%3D%3D&per_page=100"}},
		"separators in a cursor":       {http.Header{"Link": {`<` + list + `?cursor=a%2Cb>; rel="next"`}}, &place{cursor: "cursor=a%2Cb"}},
		"a bare semicolon in a cursor": {http.Header{"Link": {`<` + list + `?cursor=a;b>; rel="next"`}}, &place{cursor: "cursor=a%3Bb"}},
		"the previous page":            {http.Header{"Link": {`<` + list + `?page=1>; rel="prev"`}}, nil},
		"a link without a query":       {http.Header{"Link": {`<` + list + `>; rel="next"`}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			requested := &url.URL{Scheme: "https", Host: "gitlab.example.com", Path: "/api/v4/x"}
			got := nextPlace(&response{header: tt.header, url: requested})
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(place{})); diff != "" {
				t.Fatalf("next page (-want +got):\n%s", diff)
			}
			theirs := official(t, "https://gitlab.example.com", "x", "", readableLinks{answers{tt.header}})
			if got != nil && got.cursor != "" {
				link, err := url.Parse(theirs.NextLink)
				if err != nil || link.Query().Encode() != got.query().Encode() {
					t.Errorf("the official client goes to %s, %v, we to %s", theirs.NextLink, err, got.query().Encode())
				}
			}
			if pages, size := numberOf(tt.header, "X-Total-Pages"), numberOf(tt.header, "X-Per-Page"); pages != theirs.TotalPages || size != theirs.ItemsPerPage {
				t.Errorf("%d pages of %d, in the official client %d of %d", pages, size, theirs.TotalPages, theirs.ItemsPerPage)
			}
		})
	}
}
