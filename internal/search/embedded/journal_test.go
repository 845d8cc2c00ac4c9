package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// watched is an engine whose reads of the table are recorded: the names of their items.
func (w *world) watched() (*embedded.Engine, *[]string) {
	w.Helper()
	var read []string
	client := w.DB.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		switch in := input.(type) {
		case *dynamodb.GetItemInput:
			read = append(read, nameOf(in.Key))
		case *dynamodb.BatchGetItemInput:
			for _, keys := range in.RequestItems {
				for _, key := range keys.Keys {
					read = append(read, nameOf(key))
				}
			}
		}
		return send()
	})
	e, err := embedded.New(embedded.Options{
		Manifests: manifest.NewStore(client, tables.State().Name), Objects: bucket.New(w.bucket.Client(), "index"), Dir: w.TempDir(),
		Language: w.Language, Confidential: w.Confidential, Clock: w.Clock, Log: slog.New(slog.DiscardHandler),
	})
	w.Must(err)
	w.Cleanup(func() { w.Must(e.Close()) })
	return e, &read
}

// nameOf is the name of an item, of a batch without its journal.
func nameOf(item dynamo.Item) string {
	parts := strings.Split(item["name"].(*types.AttributeValueMemberS).Value, "#")
	return strings.Join(slices.Delete(parts, 1, max(1, len(parts)-1)), " ")
}

func TestSearch_ReadsOnlyTheBatchesThatItLacks(t *testing.T) {
	w := newWorld(t)
	writer := w.Engine()
	w.Rebuild(writer, searchtest.Entity(1, "a crash"))
	w.Apply(writer, searchtest.Entity(2, "a crash"))
	w.Apply(writer, searchtest.Entity(3, "a crash"))
	reader, read := w.watched()
	for _, c := range []struct {
		found int
		read  []string
	}{{3, []string{"search_batch 1", "search_batch 2"}}, {3, nil}, {4, []string{"search_batch 3"}}, {5, []string{"search_batch 4"}}} {
		*read = nil
		if n := len(w.Words(reader, "crash")); n < 3 || n > c.found {
			w.Errorf("found %d of %d", n, c.found)
		}
		w.Same("reads", append([]string{"search_index"}, c.read...), *read)
		if c.found == 3 && c.read != nil {
			w.Pass(time.Second)
			continue
		}
		w.Apply(writer, searchtest.Entity(int64(c.found+1), "a crash"))
	}
}

func TestApply_ReadsTheManifestOnceWithItsPosition(t *testing.T) {
	w := newWorld(t)
	w.Rebuild(w.Engine(), searchtest.Entity(1, "a crash"))
	e, read := w.watched()
	w.Maintain(e) // which has just looked at the objects, and does not again
	for i := range int64(3) {
		*read = nil
		at := w.Position(e)
		known, err := e.Known(t.Context(), []surgical.EntityRef{searchtest.Issue(1), searchtest.Issue(1 + i)})
		w.Must(err)
		if len(known) != int(min(2, i+1)) {
			t.Errorf("%d are known", len(known))
		}
		w.Must(e.Apply(t.Context(), at, search.Position{Cursor: at.Cursor + "+", AsOf: w.Now}, []search.Change{searchtest.Entity(2+i, "a crash")}))
		_, err = e.Maintain(t.Context())
		w.Must(err)
		w.Same("reads", []string{"search_index", "search_rebuild"}, *read)
	}
	w.Same("found", 4, len(w.Words(w.Engine(), "crash")))
}

// What was written last may long be replaced when maintenance comes again.
func TestMaintain_ActsOnceOnTheManifestThatAChangeLeft(t *testing.T) {
	w := newWorld(t)
	e, other := w.Engine(), w.Engine()
	w.Rebuild(e, searchtest.Entity(1, "a crash"))
	w.Apply(e, searchtest.Entity(2, "a crash"))
	for i := range int64(surgical.MaxIndexBatches) {
		w.Apply(other, searchtest.Entity(3+i, "a crash"))
	}
	for _, want := range []bool{false, true} {
		due, err := e.Maintain(t.Context())
		w.Must(err)
		w.Same("due", want, due)
	}
}

func TestMaintain_FindsAMissingBatch(t *testing.T) {
	w := newWorld(t)
	e := w.Engine()
	w.Rebuild(e, searchtest.Entity(1, "a crash"))
	w.Apply(e, searchtest.Entity(2, "a crash"))
	w.Apply(e, searchtest.Entity(3, "a crash"))
	for _, item := range w.DB.Items(tables.State().Name) {
		if nameOf(item) == "search_batch 1" {
			_, err := w.DB.Client().DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: new(tables.State().Name), Key: dynamo.Item{"name": item["name"]}})
			w.Must(err)
		}
	}
	if _, err := e.Maintain(t.Context()); !errors.Is(err, search.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	_, err := w.Engine().Search(t.Context(), search.Query{Text: "crash"}, 10)
	w.Same("a reader without a copy", surgical.CodeIndexNotReady, surgical.CodeOf(err))
	w.Rebuild(e, searchtest.Entity(1, "a crash"), searchtest.Entity(2, "a crash"))
	w.Same("after the rebuild", 2, len(w.Words(w.Engine(), "crash")))
	w.Maintain(e)
}

// However quiet the index is, no batch that counts is one that may have expired.
func TestMaintain_JoinsBatchesBeforeTheyExpire(t *testing.T) {
	w := newWorld(t)
	e := w.Engine()
	w.Rebuild(e, searchtest.Entity(1, "a crash"))
	for day := range 60 {
		if day%20 == 0 {
			_, err := e.Known(t.Context(), nil) // otherwise a batch might remove something
			w.Must(err)
			w.Apply(e, searchtest.Entity(int64(2+day), "a crash"))
		}
		w.Pass(24 * time.Hour)
		w.Maintain(e)
		m := w.manifest()
		for _, item := range w.DB.Items(tables.State().Name) {
			number, isBatch := strings.CutPrefix(nameOf(item), "search_batch ")
			expires, _ := item[tables.ExpiresAt].(*types.AttributeValueMemberN)
			if n, err := strconv.ParseInt(number, 10, 64); isBatch && (err != nil || n > m.From() && expires.Value < fmt.Sprint(w.Now.Unix())) {
				t.Errorf("day %d: batch %d is named, and expired (%v)", day, n, err)
			}
		}
	}
	w.Same("found", 4, len(w.Words(w.Engine(), "crash")))
}

// An index of version 1 listed its batches in the manifest.
func TestPosition_OfAnIndexOfTheOldFormAsksForARebuild(t *testing.T) {
	w := newWorld(t)
	e := w.Engine()
	object := map[string]any{"key": "texts/old", "bytes": 3, "sha256": []byte("x"), "etag": "y"}
	old, err := attributevalue.MarshalMap(map[string]any{
		"name": "search_index", "version": 7, "format": 1, "language": "en", "edition": 5, "cursor": "{}", "as_of": 1, "by": "x", "swept_at": 1,
		"base": map[string]any{"edition": 3, "texts": object, "catalog": object}, "previous": map[string]any{"base": map[string]any{"edition": 1, "texts": object, "catalog": object}},
		"batches": []any{map[string]any{"key": "batch/old", "edition": 4}, map[string]any{"key": "batch/older", "edition": 5}},
	})
	w.Must(err)
	_, err = w.DB.Client().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new(tables.State().Name), Item: old})
	w.Must(err)
	for _, key := range []string{"texts/old", "batch/old", "batch/older"} {
		w.bucket.Corrupt(key, []byte("old"))
	}
	_, err = e.Search(t.Context(), search.Query{Text: "crash"}, 10)
	w.Same("a query", surgical.CodeIndexNotReady, surgical.CodeOf(err))
	_, why, err := e.Position(t.Context())
	w.Must(err)
	w.Same("to be rebuilt because of", "another engine", why)
	w.Rebuild(e, searchtest.Entity(1, "a crash"))
	w.Apply(e, searchtest.Entity(2, "a crash"))
	w.Same("found", 2, len(w.Words(w.Engine(), "crash")))
	for range 3 {
		w.Pass(surgical.IndexUnnamed + time.Minute)
		w.Maintain(e)
	}
	w.Same("what is left of the old one", false, slices.ContainsFunc(w.keys(), func(key string) bool { return strings.Contains(key, "/old") }))
	w.Same("found later", 2, len(w.Words(w.Engine(), "crash")))
}
