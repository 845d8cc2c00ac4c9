package main

// pageMutations break how a page of an entity is read without the rest of it. The tests of
// the owning packages must notice each.
func pageMutations() []mutation {
	const page, order, packed, prepare = "internal/content/page.go", "internal/content/order.go", "internal/content/packed.go", "internal/content/prepare.go"
	const reading, view = "internal/api/entityreading.go", "internal/api/entitypage.go"
	return []mutation{
		{"a page of an entity shows all notes", []edit{{page, "raw, shown := p.revision.shown(child, texts[child])", "raw, shown := texts[child], true"}}, []suite{invariants()}},
		{"a page of an entity begins after a child that is not shown", []edit{{page, "case child.Key() != awaited:", "case child.Key() == \"\":"}}, []suite{invariants()}},
		{"a page of an entity begins after a child that does not exist", []edit{{page, "\t\tif awaited != \"\" {\n", "\t\tif awaited == \"none\" {\n"}}, []suite{invariants()}},
		{"a page of an entity is read one by one although the order is not known", []edit{{order, "\t\tif !one.Outline.known() {\n\t\t\treturn false\n", "\t\tif !one.Outline.known() {\n\t\t\tcontinue\n"}}, []suite{invariants()}},
		{"a page of an entity is always read as a whole", []edit{{page, "return total <= bytes && dynamo.ReadUnits(total) <= apart", "return bytes >= 0 && apart >= 0"}}, []suite{invariants()}},
		{"a page of an entity that has everything is read one by one", []edit{{page, "return total <= bytes && dynamo.ReadUnits(total) <= apart", "return total <= bytes && apart < 0"}}, []suite{invariants()}},
		{"notes that are not shown are read one by one", []edit{{page, "\t\t\tleast = 2 * len(next) // if none of them is shown\n", ""}}, []suite{invariants()}},
		{"outlines of another manifest are taken for its own", []edit{{packed, "outlined := len(p.Outlines) == 2*len(p.Entries)", "outlined := len(p.Outlines) >= 2*len(p.Entries)"}}, []suite{invariants()}},
		{"entries of earlier versions never get outlines", []edit{{prepare, "\t\t\t\told.Outline = outlineOf(p.children[child])\n", "\t\t\t\t_ = old.Outline\n"}}, []suite{invariants()}},
		{"a page of an entity takes the place of a page of Markdown", []edit{{reading, " && (r.markdown || p.Entries == 0)", ""}}, []suite{invariants()}},
		{"a page of an entity has children of another revision than its documents", []edit{{reading, "\t\tif err := r.current(revision.Head); err != nil {\n\t\t\treturn err\n\t\t}\n\t\tanswer.ETag", "\t\tanswer.ETag"}}, []suite{invariants()}},
		{"what is too large is listed on every page", []edit{{view, "\t\t\tp.place.Child = child.Key()\n\t\t\tcontinue\n", "\t\t\tcontinue\n"}}, []suite{invariants()}},
	}
}
