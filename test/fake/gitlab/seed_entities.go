package gitlab

func seedSearchIssue(s *State) {
	m := milestone()
	i := NewIssue(7, "Search shows pages that were deleted before the last reindex", `After the nightly reindex some pages that are long gone come back in the search results. A click on one ends on a 404.

## Steps
1. Delete the page *Ferry timetable 2024*
2. Wait for the nightly reindex
3. Search for `+"`timetable`"+`

**Expected:** only pages that exist.
**Actual:** the deleted page is the first hit.

- [x] Reproduced on staging
- [ ] Test that fails without the fix
`, at(18, 9, 14, 311))
	i.Labels, i.Milestone = []string{"bug", "priority::high", "search"}, &m
	i.Author, i.Assignees = ines(), []User{jonas()}
	i.Assignee = new(jonas())
	i.Tasks, i.HasTasks, i.MergeRequestsCount = Tasks{Count: 2, CompletedCount: 1}, true, 1
	i.UpdatedAt = at(27, 16, 41, 208)
	s.SetIssue(i)

	ref := IssueRef(7)
	first := s.AddDiscussion(ref, note(jonas(), at(18, 10, 2, 87), "I can reproduce it. The tombstones are dropped when two index segments are merged, so the older copy of the page wins."))
	s.AddNote(ref, first, note(ines(), at(18, 10, 30, 640), "That fits: it only happens to pages that were edited on the day they were deleted."))
	s.AddNote(ref, first, note(jonas(), at(19, 8, 5, 12), "Yes. Keeping tombstones for **two** merges would be enough."))
	s.AddDiscussion(ref, Note{Author: Mira(), CreatedAt: at(19, 8, 6, 455), Body: "assigned to @jonas.falk", System: true})
	s.AddDiscussion(ref, Note{Author: tomas(), CreatedAt: at(20, 13, 22, 9), Body: "Two customers asked about this. Please do not name them here before the fix is out.", Internal: true})
	s.AddDiscussion(ref, note(Mira(), at(27, 16, 41, 208), "Planned for 4.2. The reindex runs at 02:00 UTC, so a fix that lands before Thursday evening is in time."))
	s.AddEvents(ref,
		ResourceEvent{User: ines(), CreatedAt: at(18, 9, 14, 402), Action: "add", Label: NewLabel("bug")},
		ResourceEvent{User: ines(), CreatedAt: at(18, 9, 14, 402), Action: "add", Label: NewLabel("search")},
		ResourceEvent{User: Mira(), CreatedAt: at(19, 8, 6, 120), Action: "add", Label: NewLabel("priority::high")},
		ResourceEvent{User: Mira(), CreatedAt: at(19, 8, 7, 3), Action: "add", Milestone: &m},
		ResourceEvent{User: jonas(), CreatedAt: at(21, 17, 50, 77), State: "closed"},
		ResourceEvent{User: ines(), CreatedAt: at(22, 7, 31, 940), State: "reopened"},
	)
}

func seedExportIssue(s *State) {
	m := milestone()
	i := NewIssue(8, "Export times out for reports with more than 10,000 rows", `The export builds the whole file in memory before the first byte is sent. From about 10,000 rows on, the proxy gives up after 60 s.

| rows | time |
|-----:|-----:|
| 1,000 | 4 s |
| 10,000 | 58 s |
| 20,000 | *timeout* |

Streaming the rows would solve it, see !12.
`, at(20, 11, 3, 5))
	i.Labels, i.Milestone, i.MergeRequestsCount = []string{"export", "performance"}, &m, 1
	i.DueDate = new("2026-06-15")
	i.Assignees, i.Assignee = []User{tomas()}, new(tomas())
	i.UpdatedAt = at(26, 9, 0, 33)
	s.SetIssue(i)

	ref := IssueRef(8)
	s.AddDiscussion(ref,
		note(tomas(), at(20, 12, 45, 730), "Measured again with the profiler: nine tenths of the time go into the style of each cell."),
		note(Mira(), at(20, 12, 59, 18), "Could we write the style once a column?"),
	)
	s.AddDiscussion(ref, Note{Author: tomas(), CreatedAt: at(25, 8, 20, 501), Body: "mentioned in merge request !12", System: true})
	s.AddEvents(ref,
		ResourceEvent{CreatedAt: at(20, 11, 3, 190), Action: "add", Label: NewLabel("performance")},
		ResourceEvent{CreatedAt: at(20, 11, 4, 2), Action: "add", Label: NewLabel("export")},
		ResourceEvent{CreatedAt: at(21, 9, 0, 0), Action: "add", Milestone: &m},
	)
}

func seedConfidentialIssue(s *State) {
	i := NewIssue(9, "A password reset link works a second time within a minute", "The token is marked as used by a job in the background. Until the job has run, the same link opens the form again.\n\nNot public until 4.1.3 is out.\n", at(24, 15, 27, 866))
	i.Confidential = true
	i.Labels, i.Author = []string{"security"}, tomas()
	i.Assignees, i.Assignee = []User{Mira()}, new(Mira())
	i.UpdatedAt = at(25, 10, 12, 450)
	s.SetIssue(i)

	ref := IssueRef(9)
	s.AddDiscussion(ref, note(Mira(), at(25, 10, 12, 450), "Marking it in the same transaction is a change of three lines. I will ask Inês for a review."))
	s.AddEvents(ref, ResourceEvent{User: tomas(), CreatedAt: at(24, 15, 27, 990), Action: "add", Label: NewLabel("security")})
}

func seedMergeRequest(s *State) {
	mile := milestone()
	m := NewMergeRequest(12, "Stream exports row by row", `Writes each row to the response as it is read, and the style once a column.

Closes #8

### How to check
`+"```sh\nmake export ROWS=50000 | wc -l\n```\n", at(25, 8, 19, 244))
	m.SourceBranch, m.Labels, m.Milestone = "8-stream-exports", []string{"export", "performance"}, &mile
	m.Author, m.Reviewers = tomas(), []User{ines()}
	m.Assignees, m.Assignee = []User{tomas()}, new(tomas())
	m.UpdatedAt = at(28, 6, 17, 386)
	m.HeadPipeline = &Pipeline{
		ID: 501, IID: 77, ProjectID: ProjectID, SHA: m.SHA, Ref: m.SourceBranch, Status: "success", Source: "push",
		CreatedAt: at(27, 18, 0, 4), UpdatedAt: at(27, 18, 6, 59), WebURL: webBase + ProjectPath + "/-/pipelines/501",
	}
	s.SetMergeRequest(m)

	ref := MergeRequestRef(12)
	resolvedAt, line := at(27, 17, 58, 610), 48
	s.AddDiscussion(ref,
		Note{
			Author: ines(), CreatedAt: at(26, 14, 3, 77), Body: "The writer is never flushed when the last page is empty.",
			Type: new("DiffNote"), Resolvable: true, Resolved: new(true), ResolvedBy: new(tomas()), ResolvedAt: &resolvedAt,
			Position: &Position{
				BaseSHA: m.DiffRefs.BaseSHA, StartSHA: m.DiffRefs.StartSHA, HeadSHA: m.DiffRefs.HeadSHA,
				OldPath: "export/writer.go", NewPath: "export/writer.go", PositionType: "text", NewLine: &line,
			},
		},
		Note{Author: tomas(), CreatedAt: at(27, 17, 58, 590), Body: "Good catch, fixed with a test.", Type: new("DiffNote"), Resolvable: true, Resolved: new(true), ResolvedBy: new(tomas()), ResolvedAt: &resolvedAt},
	)
	s.AddDiscussion(ref, Note{Author: tomas(), CreatedAt: at(27, 18, 0, 2), Body: "added 1 commit\n\n* b7c4e1f0 - Flush the writer at the end", System: true})
	s.AddDiscussion(ref, note(ines(), at(28, 6, 17, 386), "50,000 rows in 3.1 s here. Let us wait for the pipeline."))
	s.AddEvents(ref,
		ResourceEvent{User: tomas(), CreatedAt: at(25, 8, 19, 401), Action: "add", Label: NewLabel("export")},
		ResourceEvent{User: tomas(), CreatedAt: at(25, 8, 19, 401), Action: "add", Label: NewLabel("performance")},
		ResourceEvent{User: Mira(), CreatedAt: at(25, 9, 2, 17), Action: "add", Milestone: &mile},
	)
}
