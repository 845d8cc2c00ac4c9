package console

import "time"

// datesView is the fields of a form for the times of entities.
type datesView struct {
	Fields []dateField
	// Set reports whether one has a value.
	Set bool
}

// dateField is the field of a bound. Kind is that of the input: a link may have a time of
// day, which a field for dates would drop.
type dateField struct{ Name, Label, Kind, Value string }

// dateParameters are the bounds of times, in the order of their fields.
func dateParameters() []string {
	return []string{"created_after", "created_before", "updated_after", "updated_before"}
}

func (v visit) dates() datesView {
	var view datesView
	for i, label := range []string{"Created from", "Created before", "Updated from", "Updated before"} {
		field := dateField{Name: dateParameters()[i], Label: label, Kind: "date"}
		field.Value = v.text(field.Name)
		if _, err := time.Parse(time.DateOnly, field.Value); field.Value != "" && err != nil {
			field.Kind = "text"
		}
		view.Set = view.Set || field.Value != ""
		view.Fields = append(view.Fields, field)
	}
	return view
}
