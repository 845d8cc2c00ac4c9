package main

import "strings"

// nearest returns the candidate that name is most likely a misspelling of, or ""
// if none is close: it differs in case, hyphens and underscores only, or by a
// quarter of its letters at most.
func nearest(name string, candidates []string) string {
	best, least := "", 0
	for _, c := range candidates {
		d := distance(plain(name), plain(c))
		if d <= max(1, len(c)/4) && (best == "" || d < least) {
			best, least = c, d
		}
	}
	return best
}

// plain drops what spelling conventions differ in.
func plain(name string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(name))
}

// distance is the optimal string alignment distance: the least number of bytes to
// insert, delete or replace, or of neighbours to swap, that turns a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
