package api

import (
	"encoding/base64"
	"encoding/json"
	"strconv"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// encodeCursor encodes a place in a list as opaque text. A cursor names the
// list that it belongs to, so it is not accepted for any other.
func encodeCursor(place any) (string, error) {
	raw, err := json.Marshal(place)
	if err != nil {
		return "", surgical.WrapError(surgical.CodeInternal, err, "the cursor of the next page could not be encoded")
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// noCursor is the problem with a text that no list returned.
const noCursor = "it is not a next_cursor of this API"

// decodeCursor is the inverse of encodeCursor. It accepts exactly the text that
// encodeCursor returns and nothing else. Fits reports whether the cursor belongs
// to the requested list.
func decodeCursor[P any](text string, fits func(P) bool) (P, error) {
	var place P
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &place)
	}
	own := ""
	if err == nil {
		own, err = encodeCursor(place)
	}
	if err != nil || own != text {
		return place, invalid("query.cursor", text, noCursor)
	}
	if !fits(place) {
		return place, invalid("query.cursor", text, "it belongs to another list: use it with the same path and filters that returned it")
	}
	return place, nil
}

// listName names a list by its kind and filters, for cursors.
func listName(kind string, projectID int64, filter string) string {
	return kind + " " + strconv.FormatInt(projectID, 10) + " " + filter
}
