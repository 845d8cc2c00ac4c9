package gitlab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const (
	maxPerPage = 100
	// uncounted is the number of records above which GitLab returns no totals.
	uncounted = 10_000
	// unreachable is the number of records at which offset pagination ends, for
	// records that have keyset pagination.
	unreachable = 50_000
)

type response struct {
	status int
	header http.Header
	body   []byte
}

func perPage(r *http.Request) int { return min(positive(r, "per_page", 20), maxPerPage) }

// paginate returns the requested page of all records, and sets GitLab's
// headers.
func paginate[T any](r *http.Request, all []T) (response, error) {
	return paginateAs(r, all, func(record T) any { return record })
}

// paginateAs is [paginate] for records that are shown in another form.
func paginateAs[T any](r *http.Request, all []T, show func(T) any) (response, error) {
	page, perPage := positive(r, "page", 1), perPage(r)
	from := min((page-1)*perPage, len(all))
	to := min(from+perPage, len(all))
	shown := make([]any, 0, to-from)
	for _, record := range all[from:to] {
		shown = append(shown, show(record))
	}
	body, err := json.Marshal(shown)
	if err != nil {
		return response{}, err
	}
	h := http.Header{}
	h.Set("X-Page", strconv.Itoa(page))
	h.Set("X-Per-Page", strconv.Itoa(perPage))
	h.Set("X-Prev-Page", "")
	h.Set("X-Next-Page", "")
	pages := max(1, (len(all)+perPage-1)/perPage)
	links := []string{link(r, 1, perPage, "first")}
	if page > 1 {
		h.Set("X-Prev-Page", strconv.Itoa(page-1))
		links = append(links, link(r, page-1, perPage, "prev"))
	}
	if to < len(all) {
		h.Set("X-Next-Page", strconv.Itoa(page+1))
		links = append(links, link(r, page+1, perPage, "next"))
	}
	if len(all) <= uncounted {
		h.Set("X-Total", strconv.Itoa(len(all)))
		h.Set("X-Total-Pages", strconv.Itoa(pages))
		links = append(links, link(r, pages, perPage, "last"))
	}
	h.Set("Link", strings.Join(links, ", "))
	return response{header: h, body: body}, nil
}

func link(r *http.Request, page, perPage int, rel string) string {
	return fmt.Sprintf(`<http://%s%s?page=%d&per_page=%d>; rel="%s"`, r.Host, r.URL.EscapedPath(), page, perPage, rel)
}

func positive(r *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 1 {
		return otherwise
	}
	return n
}
