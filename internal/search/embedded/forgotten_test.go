package embedded_test

import (
	"cmp"
	"log/slog"
	"slices"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/cloud/cloudsearch"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// chain is everything between GitLab and the bucket of the index.
type chain struct {
	*testing.T
	*cloud.World
	stream   *cloudsearch.Stream
	consumer *feed.Consumer
	index    *cloudsearch.Search
	policy   surgical.Policy
}

func newChain(t *testing.T) *chain {
	db, tables := fakedynamodb.New()
	s := &cloudsearch.Stream{Table: tables.Content}
	w := cloud.NewWorld(t, cloud.Intercept(db.Client(), s.Around), tables)
	c := &chain{
		T: t, World: w, stream: s, policy: surgical.Exclude,
		consumer: &feed.Consumer{Store: feed.NewStore(w.DB, tables.Feed, w.Clock.Now), Clock: w.Clock.Now, Log: slog.New(slog.DiscardHandler)},
	}
	c.index = cloudsearch.New(t, w, func() surgical.Policy { return c.policy })
	return c
}

// work lets the functions do what they do within a minute.
func (c *chain) work() {
	c.Helper()
	c.Sweep()
	c.Drive()
	for some := range slices.Chunk(append(c.stream.Take(), cloudsearch.Beat()), surgical.FeedBatch) {
		event, err := cloudsearch.Event(some)
		if err != nil {
			c.Fatal(err)
		}
		if _, err := c.consumer.Handle(c.Context(), event); err != nil {
			c.Fatal(err)
		}
	}
	if err := c.index.Index(c.Context()); err != nil { // which lets a minute pass
		c.Fatal(err)
	}
}

// objectsWith are the objects of the bucket that have the word.
func (c *chain) objectsWith(word string) (keys []string) {
	c.Helper()
	for key, content := range c.index.Objects.Contents() {
		has, err := embedded.Has(key, content, word, c.TempDir())
		if err != nil {
			c.Fatal(err)
		}
		if has {
			keys = append(keys, key)
		}
	}
	return keys
}

func (c *chain) found(word string) int {
	c.Helper()
	answer, err := c.index.Find(c.Context(), search.Query{Text: word, Limit: 10})
	if err != nil {
		c.Fatal(err)
	}
	return len(answer.Hits)
}

// makeConfidential is an edit of an issue.
func makeConfidential(i *fakegitlab.Issue) { i.Confidential = true }

// From the commit that removes a word to the last object that has it, through every
// function in between.
func TestIndex_HasNoWordADayAfterReadersLostIt(t *testing.T) {
	const word = "xylophonist"
	ref := fakegitlab.IssueRef(7)
	for name, way := range map[string]struct {
		// policy and confidential are those of the setting and of the issue before, and
		// internal says whether the word is in an internal note.
		policy                 surgical.Policy
		confidential, internal bool
		remove                 func(c *chain, note int64)
	}{
		"a deleted comment": {remove: func(c *chain, note int64) {
			c.GitLab.DeleteNote(ref, note)
			c.Webhook(ref)
		}},
		"a redaction": {remove: func(c *chain, note int64) {
			c.GitLab.EditNote(ref, note, "Somebody plays an instrument.")
			c.Webhook(ref)
		}},
		"an issue turned confidential": {remove: func(c *chain, _ int64) {
			c.GitLab.EditIssue(ref, makeConfidential)
			c.Webhook(ref)
		}},
		"an erased entity": {remove: func(c *chain, _ int64) {
			if _, err := c.Eraser.Erase(c.Context(), ref); err != nil {
				c.Fatal(err)
			}
		}},
		"a hidden project": {remove: func(c *chain, _ int64) {
			if err := c.Ledger.HideProject(c.Context(), ref.ProjectID, c.Clock.Now()); err != nil {
				c.Fatal(err)
			}
		}},
		"the setting leaves out internal notes": {policy: surgical.Include, internal: true, remove: func(c *chain, _ int64) {
			c.policy = surgical.Exclude
		}},
		"the setting leaves out confidential issues": {policy: surgical.Include, confidential: true, remove: func(c *chain, _ int64) {
			c.policy = surgical.Exclude
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t)
			c.policy = cmp.Or(way.policy, surgical.Exclude)
			if way.confidential {
				c.GitLab.EditIssue(ref, makeConfidential)
			}
			c.work()
			discussion := c.GitLab.AddDiscussion(ref, fakegitlab.Note{Body: "The first comment stays."})
			c.Webhook(fakegitlab.IssueRef(8))
			c.Webhook(ref)
			c.work()
			// The word comes in a batch, and then into the base.
			note := c.GitLab.AddNote(ref, discussion, fakegitlab.Note{Body: "Ask the " + word + ".", Internal: way.internal})
			c.Clock.Advance(surgical.Confirmation)
			c.Webhook(ref)
			c.work()
			if c.found(word) != 1 || len(c.objectsWith(word)) == 0 {
				t.Fatalf("the word is found %d times, and in %v", c.found(word), c.objectsWith(word))
			}
			c.Clock.Advance(surgical.Confirmation)
			way.remove(c, note)
			removed := c.Clock.Now()
			if c.found(word) != 0 {
				t.Error("the word is still shown")
			}
			c.work()
			if len(c.objectsWith(word)) == 0 {
				t.Error("the bucket lost the word at once: nothing is shown by this test")
			}
			const step = 20 * time.Minute // instead of one, which takes as many times as long
			for c.Clock.Now().Sub(removed) <= surgical.IndexForgets-step {
				c.Clock.Advance(step - time.Minute)
				c.work()
			}
			if keys := c.objectsWith(word); len(keys) > 0 {
				t.Errorf("after %s, the word is in %v", c.Clock.Now().Sub(removed), keys)
			}
		})
	}
}

// What a change of the setting shows is found within minutes, although nothing was fetched.
func TestIndex_FollowsTheSettingInBothDirections(t *testing.T) {
	const word = "xylophonist"
	c := newChain(t)
	secret, mixed := fakegitlab.IssueRef(7), fakegitlab.IssueRef(8)
	c.GitLab.EditIssue(secret, makeConfidential)
	c.GitLab.AddDiscussion(secret, fakegitlab.Note{Body: "Ask the " + word + "."})
	c.GitLab.AddDiscussion(mixed, fakegitlab.Note{Body: "Do not ask the " + word + ".", Internal: true})
	c.Webhook(secret)
	c.Webhook(mixed)
	for _, step := range []struct {
		policy surgical.Policy
		found  int
	}{{surgical.Exclude, 0}, {surgical.Include, 2}, {surgical.Exclude, 0}, {surgical.Include, 2}} {
		c.policy = step.policy
		c.work()
		if found := c.found(word); found != step.found {
			t.Errorf("under %s, %d of 2 are found", step.policy, found)
		}
	}
}
