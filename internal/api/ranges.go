package api

import (
	"time"

	"gitlab.com/lorehook/lorehook/internal/search"
)

// RangesInput selects entities by their times.
type RangesInput struct {
	CreatedAfter  string `query:"created_after" maxLength:"40" example:"2026-11-02" doc:"Only entities created at this time or later: a date (UTC), or a time in RFC 3339."`
	CreatedBefore string `query:"created_before" maxLength:"40" example:"2026-11-03" doc:"Only entities created before this date or time."`
	UpdatedAfter  string `query:"updated_after" maxLength:"40" example:"2026-11-02T08:00:00Z" doc:"Only entities with an updated_at of this date or time, or later."`
	UpdatedBefore string `query:"updated_before" maxLength:"40" example:"2026-11-03" doc:"Only entities with an updated_at before this date or time."`
}

// ranges reads the times.
func (in RangesInput) ranges() (created, updated search.Range, err error) {
	for _, bound := range []struct {
		name, value string
		into        *time.Time
	}{
		{"created_after", in.CreatedAfter, &created.From}, {"created_before", in.CreatedBefore, &created.Until},
		{"updated_after", in.UpdatedAfter, &updated.From}, {"updated_before", in.UpdatedBefore, &updated.Until},
	} {
		if bound.value == "" {
			continue
		}
		if *bound.into, _, err = search.ParseDay(bound.value); err != nil {
			return created, updated, invalid("query."+bound.name, bound.value, err.Error())
		}
	}
	return created, updated, nil
}
