package invariants_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/plaintext"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/engines"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// noise returns incompressible text, which needs several items.
func noise(bytes int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < bytes {
		b.WriteRune(rune(' ' + random.IntN(0x2000)))
	}
	return b.String()
}

func TestAOneMegabyteDescriptionIsStoredWholeAndReadBackEqual(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := fakegitlab.IssueRef(7)
		for name, text := range map[string]string{"compressible": strings.Repeat("All work and no play. ", 50_000), "noise": noise(1 << 20)} {
			w.GitLab.Edit(ref, func(c *fakegitlab.Common) { c.Description = text })
			w.Webhook(ref)
			var got struct{ Description string }
			if err := json.Unmarshal(w.Entity(ref).Entity, &got); err != nil {
				t.Fatal(err)
			}
			if got.Description != text {
				t.Errorf("%s: %d of %d bytes were read back", name, len(got.Description), len(text))
			}
			document, err := w.Content.Document(t.Context(), ref, "entity")
			if err != nil || !strings.HasSuffix(document.Text, plaintext.Text(text)+"\n") {
				t.Errorf("%s: the document of %d bytes does not end with the description; error %v", name, len(document.Text), err)
			}
		}
	})
}

// Most of a long text is stored by earlier runs: nothing of it may expire, and what
// turns confidential leaves nothing of them.
func TestAnEditOfALongTextWritesOnlyWhatIsNearIt(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		var mu sync.Mutex
		units, everyRunEnded := int64(0), func(context.Context, surgical.AttemptID) (bool, error) { return true, nil }
		w := cloud.NewWorld(t, cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			mu.Lock()
			units += putUnits(call, e.Tables.Content)
			mu.Unlock()
			return send()
		}), e.Tables)
		ref := fakegitlab.IssueRef(7)
		shows := func(text string) {
			t.Helper()
			expireAll(t, e)
			var got struct{ Description string }
			if err := json.Unmarshal(w.Entity(ref).Entity, &got); err != nil || got.Description != text {
				t.Fatalf("a description of %d bytes was read, error %v; want %d", len(got.Description), err, len(text))
			}
			document, err := w.Content.Document(t.Context(), ref, "entity")
			if err != nil || !strings.HasSuffix(document.Text, plaintext.Text(text)+"\n") {
				t.Fatalf("the document of %d bytes does not end with the description; error %v", len(document.Text), err)
			}
		}
		text := []rune(noise(1 << 19))
		edit := func(change func(*fakegitlab.Common)) surgical.Run {
			w.GitLab.Edit(ref, change)
			units = 0
			return w.Webhook(ref)
		}
		edit(func(c *fakegitlab.Common) { c.Description = string(text) })
		shows(string(text))
		for _, at := range []int{10, len(text) / 2, len(text) - 10} {
			text[at] = '~'
			run := edit(func(c *fakegitlab.Common) { c.Description = string(text) })
			// The embeddings item names every chunk.
			if run.Counters.ContentWriteUnits > 100 || units > 300 || run.Counters.ChunksEmbedded > 6 {
				t.Errorf("an edit at %d of %d cost %d write units in ingest and %d in all, and embedded %d chunks",
					at, len(text), run.Counters.ContentWriteUnits, units, run.Counters.ChunksEmbedded)
			}
			if _, err := w.Content.ExpireOrphans(t.Context(), ref, everyRunEnded); err != nil {
				t.Fatal(err)
			}
			shows(string(text))
		}
		// The docs job of the edit renders what already is confidential. The job that
		// hides comes after it.
		text[20] = '~'
		for _, change := range []func(*fakegitlab.Issue){
			func(i *fakegitlab.Issue) { i.Description = string(text) },
			func(i *fakegitlab.Issue) { i.Confidential = true },
		} {
			w.GitLab.EditIssue(ref, change)
			if _, err := w.Deliver(w.Request(surgical.OriginManual, ref)); err != nil {
				t.Fatal(err)
			}
		}
		w.Drive()
		shows(string(text))
	})
}

// What GitLab itself does not allow is stored whole all the same, and its
// documents say what they do not show.
func TestFieldsBeyondGitLabsOwnLimitsAreStoredWholeAndShownCut(t *testing.T) {
	labels := make([]string, 3000)
	for i := range labels {
		labels[i] = fmt.Sprintf("l%04d", i) + strings.Repeat("x", 245)
	}
	onEngines(t, func(t *testing.T, w *cloud.World) {
		for name, c := range map[string]struct {
			set  func(*fakegitlab.Common)
			told string
		}{
			"labels":      {func(c *fakegitlab.Common) { c.Labels = labels }, "labels are cut: 131 of 3000 are shown"},
			"title":       {func(c *fakegitlab.Common) { c.Title = strings.Repeat("T", 1_000_000) }, "title is cut: 1000 of 1000000 characters are shown"},
			"noisy title": {func(c *fakegitlab.Common) { c.Title = noise(1_000_000) }, "title is cut: 1000 of "},
			"description": {func(c *fakegitlab.Common) { c.Description = noise(10_000_000) }, "it is cut: 1500000 of "},
		} {
			ref := fakegitlab.IssueRef(7)
			var before fakegitlab.Common
			w.GitLab.Edit(ref, func(now *fakegitlab.Common) {
				before = *now
				c.set(now)
			})
			snap, err := w.Fetch(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			run := w.Webhook(ref)
			if run.Status != surgical.StatusSucceeded {
				t.Fatalf("%s: the run is %s, %v", name, run.Status, run.Error)
			}
			if diff := cmp.Diff(sorted(t, []surgical.Child{{Raw: snap.Entity}}), sorted(t, []surgical.Child{{Raw: w.Entity(ref).Entity}})); diff != "" {
				t.Errorf("%s (-fetched +stored):\n%.500s", name, diff)
			}
			rows, err := w.Ledger.Entities(t.Context(), run.RunID)
			if err != nil || len(rows) != 1 || !slices.ContainsFunc(rows[0].Warnings, func(warning string) bool { return strings.Contains(warning, c.told) }) {
				t.Errorf("%s: the run does not say %q: %+v, error %v", name, c.told, rows, err)
			}
			w.GitLab.Edit(ref, func(now *fakegitlab.Common) { *now = before })
		}
	})
}

// many returns a world with an issue that has n discussions.
func many(t *testing.T, w *cloud.World, discussions int) surgical.EntityRef {
	t.Helper()
	ref := fakegitlab.IssueRef(8)
	for i := range discussions {
		w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: fmt.Sprintf("Comment %d: %s", i, strings.Repeat("words ", i%50))})
	}
	return ref
}

func TestAnIssueWithAThousandDiscussionsIsStoredWholeAndReadBackEqual(t *testing.T) {
	onEngines(t, func(t *testing.T, w *cloud.World) {
		ref := many(t, w, 1000)
		snap, err := w.Fetch(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		w.Webhook(ref)
		if diff := cmp.Diff(sorted(t, snap.Children), sorted(t, childrenOf(w.Entity(ref)))); diff != "" {
			t.Errorf("(-fetched +stored):\n%.2000s", diff)
		}
	})
}

// childrenOf lists the stored children in the format of a fetch.
func childrenOf(e content.Entity) []surgical.Child {
	var children []surgical.Child
	for _, raw := range e.Discussions {
		children = append(children, surgical.Child{Kind: surgical.KindDiscussion, Raw: raw})
	}
	for kind, events := range e.Events {
		for _, raw := range events {
			children = append(children, surgical.Child{Kind: kind, Raw: raw})
		}
	}
	return children
}

// sorted makes two lists of children comparable, regardless of their order and
// JSON white space.
func sorted(t *testing.T, children []surgical.Child) []string {
	t.Helper()
	var list []string
	for _, c := range children {
		var value any
		if err := json.Unmarshal(c.Raw, &value); err != nil {
			t.Fatal(err)
		}
		canonical, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(c.Kind)+" "+string(canonical))
	}
	slices.Sort(list)
	return list
}

func TestOneNewCommentOnAThousandDiscussionsCostsAtMost24WriteUnits(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		// The run counts its commit; DynamoDB reports the cost of expiring.
		var mu sync.Mutex
		expired := 0.0
		db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			update, ok := call.Input.(*dynamodb.UpdateItemInput)
			if !ok || *update.TableName != e.Tables.Content {
				return send()
			}
			update.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
			if err := send(); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			expired += *call.Output().(*dynamodb.UpdateItemOutput).ConsumedCapacity.CapacityUnits
			return nil
		})
		w := cloud.NewWorld(t, db, e.Tables)
		ref := many(t, w, 1000)
		w.Webhook(ref)
		for range 10 { // wear: parts from many runs
			w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "One more."})
			expired = 0
			run := w.Webhook(ref)
			if units := float64(run.Counters.ContentWriteUnits) + expired; units > 24 || expired == 0 {
				t.Errorf("a new comment cost %g write units, %g of them for expiring", units, expired)
			}
			if run.Counters.ChildrenWritten != 1 || run.Counters.DocumentsRegenerated != 1 {
				t.Errorf("a new comment wrote %d children and regenerated %d documents", run.Counters.ChildrenWritten, run.Counters.DocumentsRegenerated)
			}
		}
	})
}

func TestWriteUnitsAreCountedFromWhatReachesTheTable(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		// A first sync stages and commits, so its units are those of its items.
		var units int64
		db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			units += putUnits(call, e.Tables.Content)
			return send()
		})
		w := cloud.NewWorld(t, db, e.Tables)
		ref := many(t, w, 60)
		req := w.Request(surgical.OriginManual, ref)
		if _, err := w.Deliver(req); err != nil {
			t.Fatal(err)
		}
		if got := w.Run(req.RunID).Counters.ContentWriteUnits; got != units {
			t.Errorf("the run counts %d write units, the table was sent %d", got, units)
		}
	})
}

// putUnits returns the write units of the puts into the table.
func putUnits(call cloud.Call, table string) int64 {
	units := 0
	switch in := call.Input.(type) {
	case *dynamodb.BatchWriteItemInput:
		for _, write := range in.RequestItems[table] {
			units += dynamo.WriteUnits(dynamo.ItemSize(write.PutRequest.Item))
		}
	case *dynamodb.TransactWriteItemsInput:
		for _, item := range in.TransactItems {
			if item.Put != nil && *item.Put.TableName == table {
				units += 2 * dynamo.WriteUnits(dynamo.ItemSize(item.Put.Item))
			}
		}
	}
	return int64(units)
}

func TestTwentyFiveTargetsCommitTogetherOrNotAtAll(t *testing.T) {
	engines.Run(t, func(t *testing.T, e engines.Engine) {
		failing := true
		db := cloud.Intercept(e.DynamoDB, func(_ context.Context, call cloud.Call, send func() error) error {
			if failing && call.Operation == "TransactWriteItems" {
				failing = false
				return &smithy.GenericAPIError{Code: "InternalServerError", Message: "injected"}
			}
			return send()
		})
		w := cloud.NewWorld(t, db, e.Tables)
		var refs []surgical.EntityRef
		for i := range int64(surgical.MaxTargets) {
			ref := fakegitlab.IssueRef(100 + i)
			w.GitLab.SetIssue(fakegitlab.NewIssue(ref.IID, fmt.Sprintf("Issue %d", i), "Text", fakegitlab.Time{Time: w.Clock.Now()}))
			w.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "Hello"})
			refs = append(refs, ref)
		}
		req := w.Request(surgical.OriginManual, refs...)
		if _, err := w.Deliver(req); surgical.CodeOf(err) != surgical.CodeIngestFailed {
			t.Fatalf("the commit did not fail: %v", err)
		}
		for _, ref := range refs {
			if head, err := w.Content.Head(t.Context(), ref); err != nil || head.Exists() {
				t.Fatalf("%s is visible after a failed commit (error %v)", ref, err)
			}
		}
		w.Sync(req)
		for _, ref := range refs {
			if entity := w.Entity(ref); entity.RunID != req.RunID || len(entity.Discussions) != 1 {
				t.Errorf("%s: run %s, %d discussions", ref, entity.RunID, len(entity.Discussions))
			}
		}
	})
}
