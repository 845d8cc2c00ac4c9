package manifest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/tables"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// between returns a store, and another one on the same table before each of whose writes
// happens is called with what sends it.
func between(happens func(send func() (any, error))) (store, slow *manifest.Store) {
	db, _ := fakedynamodb.New()
	client := db.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		if _, writes := input.(*dynamodb.PutItemInput); writes {
			happens(send)
		}
		return send()
	})
	return manifest.NewStore(db.Client(), tables.State().Name), manifest.NewStore(client, tables.State().Name)
}

// The SDK sends a write again whose response was lost, and then its condition fails.
func TestSwap_KnowsItsOwnManifestAfterALostResponse(t *testing.T) {
	store, slow := between(func(send func() (any, error)) {
		if _, err := send(); err != nil {
			t.Error(err)
		}
	})
	var read manifest.Manifest
	for _, cursor := range []string{"first", "second"} {
		next := read
		next.Cursor = cursor
		swapped, err := slow.Swap(t.Context(), read, next)
		if err != nil || swapped.Cursor != cursor || swapped.Version != read.Version+1 {
			t.Fatalf("%s: %+v, %v", cursor, swapped, err)
		}
		now, err := store.Read(t.Context())
		if err != nil || now.Version != swapped.Version || now.By != swapped.By {
			t.Errorf("%s: stored is %+v, %v", cursor, now, err)
		}
		read = swapped
	}
}

// Another writer's manifest has the version that the loser's would have had.
func TestSwap_TakesNoOthersManifestForItsOwn(t *testing.T) {
	var store, slow *manifest.Store
	var read, theirs manifest.Manifest
	store, slow = between(func(func() (any, error)) {
		next := read
		next.Cursor = "theirs"
		var err error
		if theirs, err = store.Swap(t.Context(), read, next); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		next := read
		next.Cursor = "mine"
		if got, err := slow.Swap(t.Context(), read, next); !errors.Is(err, manifest.ErrMoved) || got.Cursor != read.Cursor {
			t.Errorf("got %+v, %v", got, err)
		}
		now, err := store.Read(t.Context())
		if err != nil || now.Cursor != "theirs" || now.By != theirs.By {
			t.Errorf("stored is %+v, %v", now, err)
		}
		read = now
	}
}
