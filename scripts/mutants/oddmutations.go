package main

// oddMutations break what one odd record may cost, and what of a text is shown.
func oddMutations() []mutation {
	const record, members, plain, attributes = "internal/record/record.go", "internal/record/members.go", "internal/plaintext/plaintext.go", "internal/surgical/attributes.go"
	odd := []suite{{name: "odd records", args: []string{"./internal/record", "./internal/render", "./internal/gitlab", "-short", "-run", "Read|Name|Odd|Render|Discussion|AcceptsWhat|LeavesOut"}}}
	texts := []suite{{name: "plain texts", args: []string{"./internal/plaintext", "./internal/render", "-short"}}}
	heads := []suite{{name: "heads", args: []string{"./internal/worker", "-short", "-run", "TestProcess_StoresAnEntityWhatever"}}}
	return []mutation{
		{"odd: a number in another spelling names another record", []edit{{record, "return strconv.FormatInt(int64(f), 10)", "return number"}}, odd},
		{"odd: a number that is not exact is an id", []edit{{record, "f != math.Trunc(f) || math.Abs(f) >= exact", "f != math.Trunc(f) || math.Abs(f) < 0"}}, odd},
		{"odd: a record without an id has no name", []edit{{record, "\treturn \"unnamed-\" + hex.EncodeToString(sum[:16]), true", "\treturn hex.EncodeToString(sum[:0]), len(sum) == 0"}}, odd},
		{"odd: whatever the id contains is a key", []edit{{record, "return r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r)", "return false && r == unicode.ReplacementChar"}}, odd},
		{"odd: an id of any length is a key", []edit{{record, "text == \"\" || len(text) > maxName ||", "text == \"\" ||"}}, odd},
		{"odd: who may see a record is guessed", []edit{{record, "\t\treturn false, fmt.Errorf(\"%s%s is %s\", f.path, name, KindOf(raw))", "\t\treturn false, nil"}}, odd},
		{"odd: what is left out is not reported", []edit{{record, "if len(*f.odd) < maxOdd {", "if len(*f.odd) < 0 {"}}, odd},
		{"odd: what is left out is listed without end", []edit{{record, "if len(*f.odd) < maxOdd {", "if maxOdd > 0 {"}}, odd},
		{"odd: one element that is not an object costs the list", []edit{{record, "\t\tif object, ok := f.object(fmt.Sprintf(\"%s[%d]\", name, i), raw); ok {\n", "\t\tobject, ok := f.object(fmt.Sprintf(\"%s[%d]\", name, i), raw)\n\t\tif !ok {\n\t\t\treturn nil\n\t\t}\n\t\t{\n"}}, odd},
		{"odd: of fields with one name the first counts", []edit{{record, "range slices.Backward(f.members)", "range f.members"}}, odd},
		{"odd: a field whose name is written with escapes is not found", []edit{{record, "\tif decoded, ok := f.names[i]; ok {\n\t\treturn decoded == name\n\t}\n", ""}}, odd},
		{"odd: a text is what stands between its quotation marks", []edit{{members, "if c == '\\\\' || c >= 0x80 {", "if c > 0xff-1 {"}}, odd},
		{"odd: a number as text is not understood", []edit{{record, "number = strings.TrimSpace(text)", "number = \"\""}}, odd},
		{"text: control characters are shown as they are", []edit{{plain, "\tcase r < ' ':\n\t\treturn '\\u2400' + r // its symbol\n", ""}}, texts},
		{"text: C1 control characters are shown as they are", []edit{{plain, "\tcase unicode.IsControl(r):\n\t\treturn unicode.ReplacementChar\n", ""}}, texts},
		{"text: DEL is shown as it is", []edit{{plain, "\tcase r == 0x7f:\n\t\treturn '\\u2421'\n", ""}}, texts},
		{"text: a text may change its direction", []edit{{plain, "unicode.Is(unicode.Bidi_Control, r), r >= 0xe0000", "r >= 0xe0000"}}, texts},
		{"text: a text may hide another in tags", []edit{{plain, ", r >= 0xe0000 && r <= 0xe007f:", ":"}}, texts},
		{"text: a word may be split without being seen", []edit{{plain, "r == 0x200b, r >= 0x2060", "r >= 0x2060"}}, texts},
		{"text: joiners are removed", []edit{{plain, "r == 0x200b, r >= 0x2060", "r >= 0x200b && r <= 0x200d, r >= 0x2060"}}, texts},
		{"text: a line may have several", []edit{{plain, "\t\tif r == '\\n' || r == '\\t' {\n\t\t\treturn ' '\n", "\t\tif r == '\\t' {\n\t\t\treturn ' '\n"}}, texts},
		{"text: JSON keeps what is not shown", []edit{{plain, "r == '\\n' || r == '\\t' || r == '\\r' || r != '\\u2028'", "r >= 0 || r != '\\u2028'"}}, texts},
		{"head: a title of any length is shown", []edit{{attributes, "{\"title\", &a.Title}, ", ""}}, heads},
		{"head: a date of any length is shown", []edit{{attributes, "{\"closed_at\", &a.ClosedAt}, ", ""}}, heads},
		{"head: what is not a time is when it was created", []edit{{attributes, "(!ok || len(a.CreatedAt) > maxTime)", "ok && len(a.CreatedAt) > maxTime"}}, heads},
		{"head: a time of any length is when it was created", []edit{{attributes, "(!ok || len(a.CreatedAt) > maxTime)", "!ok"}}, heads},
		{"head: any number of people is shown", []edit{{attributes, "return len(u.Username) + len(u.Name)", "return 0 * len(u.Username)"}}, heads},
		{"head: any number of labels is shown", []edit{{attributes, "return len(label)", "return 0 * len(label)"}}, heads},
	}
}
