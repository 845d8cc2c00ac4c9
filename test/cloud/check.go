package cloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Shown reads what readers see of entities, confidential text included. No project counts
// as hidden.
func (c *Cloud) Shown() *content.Reader { return c.Content.ForReaders(nil, surgical.Include) }

// observe checks the invariants of every step after each write: no entity gets
// older, and no job is open in a run that has ended.
func (c *Cloud) observe(call Call) {
	written := call.Tables()
	if slices.Contains(written, c.tables.Content) {
		c.observeHeads()
	}
	if slices.Contains(written, c.tables.SyncRuns) || slices.Contains(written, c.tables.DependentQueue) {
		if stranded := c.stranded(); len(stranded) > 0 {
			c.T.Errorf("after %s: stranded jobs %v", call, stranded)
		}
	}
}

// Observe runs the checks after a write that landed without a caller.
func (c *Cloud) Observe() {
	c.observeHeads()
	if stranded := c.stranded(); len(stranded) > 0 {
		c.T.Errorf("stranded jobs %v", stranded)
	}
}

func (c *Cloud) observeHeads() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref, before := range c.heads {
		head, err := c.Content.Head(c.T.Context(), ref)
		if err != nil {
			c.T.Errorf("%v", err)
			return
		}
		unconfirmed := head.UpdatedAt.Before(before.UpdatedAt) && head.FetchedAt.Before(before.FetchedUntil.Add(surgical.Confirmation))
		if head.Revision < before.Revision || unconfirmed || head.FetchedAt.Before(before.FetchedAt) {
			c.T.Errorf("%s went back: revision %d of %v fetched at %v, after revision %d of %v fetched at %v",
				ref, head.Revision, head.UpdatedAt, head.FetchedAt, before.Revision, before.UpdatedAt, before.FetchedAt)
		}
		c.heads[ref] = head
	}
}

// Follow watches the entities: none may ever get older.
func (c *Cloud) Follow(refs ...surgical.EntityRef) {
	c.mu.Lock()
	for _, ref := range refs {
		if _, known := c.heads[ref]; !known {
			c.heads[ref] = surgical.Head{Ref: ref}
		}
	}
	c.mu.Unlock()
	c.observeHeads()
}

// stranded lists jobs that are open in runs that have ended. It is called after every
// write, so it reads the runs only if there are open jobs.
func (c *Cloud) stranded() []string {
	var open []dynamo.Item
	for _, row := range c.Rows(c.tables.DependentQueue) {
		if status := surgical.JobStatus(text(row["status"])); status == surgical.JobPending || status == surgical.JobClaimed {
			open = append(open, row)
		}
	}
	if len(open) == 0 {
		return nil
	}
	ended := map[string]bool{}
	for _, row := range c.Rows(c.tables.SyncRuns) {
		ended[text(row["run_id"])] = surgical.RunStatus(text(row["status"])).Terminal()
	}
	var stranded []string
	for _, row := range open {
		if run := text(row["scope_run_id"]); ended[run] {
			stranded = append(stranded, run+" "+text(row["job_id"])+" "+text(row["status"]))
		}
	}
	return stranded
}

// Check verifies everything that a settled cloud promises. The entities' copies
// must equal GitLab's truth, even after everything with an expiry has expired;
// their documents must match the rendered copies, and their embeddings these
// documents. Nothing may be left over.
func (c *Cloud) Check(refs ...surgical.EntityRef) {
	c.T.Helper()
	if _, err := Expire(c.T.Context(), c.db, c.tables.Content); err != nil {
		c.T.Fatal(err)
	}
	for _, ref := range refs {
		if problem := c.Untrue(ref); problem != "" {
			c.T.Errorf("%s differs from GitLab's truth:\n%s", ref, problem)
			continue
		}
		if _, err := c.Shown().Read(c.T.Context(), ref); surgical.CodeOf(err) != surgical.CodeEntityGone {
			c.checkDocuments(ref)
		}
		c.checkOrphans(ref)
	}
	c.CheckRuns()
}

// CheckRuns verifies that every run has ended, and failed only with a typed
// error.
func (c *Cloud) CheckRuns() {
	c.T.Helper()
	if left := c.unsettled(); len(left) > 0 {
		c.T.Errorf("not settled: %v", left)
	}
	if stranded := c.stranded(); len(stranded) > 0 {
		c.T.Errorf("stranded jobs: %v", stranded)
	}
	for _, run := range c.Runs() {
		rows, err := c.Ledger.Entities(c.T.Context(), run.RunID)
		if err != nil || len(rows) != len(run.Targets) {
			c.T.Errorf("run %s has %d entity rows for %d targets, error %v", run.RunID, len(rows), len(run.Targets), err)
		}
		switch {
		case !run.Status.Terminal():
			c.T.Errorf("run %s is %s", run.RunID, run.Status)
		case run.Status == surgical.StatusSucceeded:
			if run.Error != nil {
				c.T.Errorf("run %s succeeded with %v", run.RunID, run.Error)
			}
		case run.Error == nil || run.Error.Code == "" || run.Error.Action == "" || run.Error.Message == "":
			c.T.Errorf("run %s is %s without a typed error: %+v", run.RunID, run.Status, run.Error)
		}
	}
}

// Runs returns all runs.
func (c *Cloud) Runs() []surgical.Run {
	c.T.Helper()
	var runs []surgical.Run
	for _, row := range c.Rows(c.tables.SyncRuns) {
		run, err := c.Ledger.Run(c.T.Context(), text(row["run_id"]))
		if err != nil {
			c.T.Fatal(err)
		}
		runs = append(runs, run)
	}
	return runs
}

// Untrue describes how the entity's copy differs from GitLab, or returns "".
func (c *Cloud) Untrue(ref surgical.EntityRef) string {
	truth, err := c.fetcher.Fetch(c.T.Context(), ref)
	switch {
	case surgical.CodeOf(err) == surgical.CodeGitLabNotFound:
		return c.lingering(ref)
	case err != nil:
		return "GitLab: " + err.Error()
	}
	entity, err := c.Shown().Read(c.T.Context(), ref)
	if err != nil {
		return "copy: " + err.Error()
	}
	want, got := map[string]any{"entity": stable(truth.Entity)}, map[string]any{"entity": stable(entity.Entity)}
	for _, child := range truth.Children {
		want[child.Key()] = decode(child.Raw)
	}
	for _, raw := range entity.Discussions {
		got[childKey(surgical.KindDiscussion, raw)] = decode(raw)
	}
	for kind, list := range entity.Events {
		for _, raw := range list {
			got[childKey(kind, raw)] = decode(raw)
		}
	}
	want["updated_at"], got["updated_at"] = truth.UpdatedAt.UnixMilli(), entity.UpdatedAt.UnixMilli()
	return cmp.Diff(want, got)
}

// lingering describes what is left of an entity that GitLab does not show, or
// returns "".
func (c *Cloud) lingering(ref surgical.EntityRef) string {
	if _, err := c.Shown().Read(c.T.Context(), ref); surgical.CodeOf(err) != surgical.CodeEntityGone {
		return fmt.Sprintf("GitLab does not show it, and reading it returns %v", err)
	}
	documents, err := c.Content.Documents(c.T.Context(), ref)
	if err != nil || len(documents) > 0 {
		return fmt.Sprintf("it is gone, and %d documents are left, %v", len(documents), err)
	}
	embedded, err := c.Content.Embedded(c.T.Context(), ref)
	if err != nil || len(embedded) > 0 {
		return fmt.Sprintf("it is gone, and embeddings of %d documents are left, %v", len(embedded), err)
	}
	return ""
}

func childKey(kind surgical.ChildKind, raw json.RawMessage) string {
	var record struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(raw, &record) // invalid JSON has no key, and differs
	return string(kind) + "#" + string(bytes.Trim(record.ID, `"`))
}

func decode(raw json.RawMessage) any {
	var value any
	_ = json.Unmarshal(raw, &value) // invalid JSON is nil, and differs
	return value
}

// stable is an entity without its volatile fields.
func stable(raw json.RawMessage) any {
	value, ok := decode(raw).(map[string]any)
	if !ok {
		return nil
	}
	for _, field := range content.VolatileFields() {
		delete(value, field)
	}
	return value
}

// checkDocuments compares the stored documents with the rendered copy.
func (c *Cloud) checkDocuments(ref surgical.EntityRef) {
	c.T.Helper()
	ctx := c.T.Context()
	entity, err := c.Shown().Read(ctx, ref)
	if err != nil {
		c.T.Fatal(err)
	}
	want := map[string]surgical.Document{}
	expect := func(d surgical.Document, err error) {
		if err != nil {
			c.T.Fatal(err)
		}
		want[d.ID] = d
	}
	attributes, err := surgical.ParseAttributes(entity.Entity)
	if err != nil {
		c.T.Fatal(err)
	}
	expect(render.Entity(ref, entity.Entity, attributes.Description))
	for _, raw := range entity.Discussions {
		expect(render.Discussion(ref, render.HeadOf(entity.Attributes), raw))
	}
	stored, err := c.Content.Documents(ctx, ref)
	if err != nil {
		c.T.Fatal(err)
	}
	var got []string
	for _, d := range stored {
		got = append(got, d.ID)
		if d.Hash != want[d.ID].Hash || d.Revision < entity.DocumentsVisibleFrom {
			c.T.Errorf("document %s of %s is not current (revision %d, visible from %d)", d.ID, ref, d.Revision, entity.DocumentsVisibleFrom)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), got); diff != "" {
		c.T.Errorf("documents of %s (-want +stored):\n%s", ref, diff)
	}
	c.checkEmbeddings(ref, entity.Head, stored)
}

func (c *Cloud) checkEmbeddings(ref surgical.EntityRef, head surgical.Head, documents []content.Document) {
	c.T.Helper()
	ctx := c.T.Context()
	var ids []string
	for _, d := range documents {
		ids = append(ids, d.ID)
	}
	embeddings, err := c.Content.Embeddings(ctx, ref, ids)
	if err != nil {
		c.T.Fatal(err)
	}
	for _, d := range documents {
		whole, err := c.Content.Document(ctx, ref, d.ID)
		if err != nil {
			c.T.Fatal(err)
		}
		vectors, err := c.Content.Vectors(ctx, ref, d.ID)
		if err != nil {
			c.T.Fatal(err)
		}
		var chunks []string
		for _, chunk := range render.Chunks(whole.Document) {
			chunks = append(chunks, chunk.Hash)
			if _, ok := vectors[chunk.Hash]; !ok {
				c.T.Errorf("a chunk of %s of %s has no vector", d.ID, ref)
			}
		}
		e := embeddings[d.ID]
		if !e.Current(head, d.Hash) || !slices.Equal(e.Chunks, chunks) {
			c.T.Errorf("the embeddings of %s of %s are not current: %+v", d.ID, ref, e)
		}
	}
	embedded, err := c.Content.Embedded(ctx, ref)
	if err != nil {
		c.T.Fatal(err)
	}
	for id := range embedded {
		if !slices.Contains(ids, id) {
			c.T.Errorf("%s of %s is embedded but has no document", id, ref)
		}
	}
}

func (c *Cloud) checkOrphans(ref surgical.EntityRef) {
	c.T.Helper()
	orphans, err := c.Content.Orphans(c.T.Context(), ref)
	if err != nil {
		c.T.Fatal(err)
	}
	if len(orphans) > 0 {
		c.T.Errorf("%s has orphans that never expire: %v", ref, orphans)
	}
}

// Outcome describes a run for a test's message.
func Outcome(run surgical.Run) string {
	if run.Error != nil {
		return fmt.Sprintf("%s (%s)", run.Status, run.Error.Code)
	}
	return string(run.Status)
}
