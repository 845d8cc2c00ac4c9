package surgical

import (
	"fmt"
	"strconv"
	"strings"
)

// AttemptID names one attempt of a run. It is part of the key of every item
// that the attempt stages, so no two attempts ever write the same item.
type AttemptID struct {
	RunID string
	// Number is [Run.Attempt]: 1 for the first attempt.
	Number int64
}

// String returns the attempt as it is stored in keys: "wrcm….1".
func (a AttemptID) String() string { return a.RunID + "." + strconv.FormatInt(a.Number, 10) }

// ParseAttemptID is the inverse of [AttemptID.String]: an attempt has one text.
func ParseAttemptID(s string) (AttemptID, error) {
	runID, number, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(number, 10, 64)
	a := AttemptID{RunID: runID, Number: n}
	if err != nil || runID == "" || n < 0 || a.String() != s {
		return AttemptID{}, fmt.Errorf("%q is not an attempt such as wrcm.1", s)
	}
	return a, nil
}
