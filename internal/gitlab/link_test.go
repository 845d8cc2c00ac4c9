package gitlab

import (
	"net/http"
	"net/url"
	"testing"

	api "gitlab.com/gitlab-org/api/client-go/v2"
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

// Whatever the header is, parsing ends, and what is left of it is harmless.
func FuzzReadableLink(f *testing.F) {
	for _, seed := range []string{`<https://a.example/x?page=2>; rel="next"`, `<a>; crossorigin; rel="x", <b>;;`, `<`, `;=",<>`, `<x,y;z>; rel=next`, `<//a,b/x>; rel=next`} {
		f.Add(seed)
	}
	requested := &url.URL{Scheme: "https", Host: "gitlab.example.com", Path: "/x"}
	f.Fuzz(func(t *testing.T, value string) {
		header := http.Header{"Link": {value}}
		want := nextLink(header, requested)
		readableLink(header, requested)
		next := nextLink(header, requested)
		if (want == nil) != (next == nil) {
			t.Errorf("%q became %q", value, header)
		}
		parses(header)
	})
}

// parses lets the official client read the header; it panics if it cannot.
func parses(header http.Header) {
	client, err := api.NewClient("", api.WithBaseURL("http://127.0.0.1"), api.WithoutRetries(), api.WithHTTPClient(&http.Client{Transport: answers{header}}))
	if err != nil {
		panic(err)
	}
	req, err := client.NewRequest(http.MethodGet, "x", nil, nil)
	if err != nil {
		panic(err)
	}
	if _, err := client.Do(req, nil); err != nil {
		panic(err)
	}
}

type answers struct{ header http.Header }

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: a.header, Body: http.NoBody}, nil
}
