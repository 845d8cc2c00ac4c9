package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// batch is a batch whose object, and the cursor of the manifest that names it, have a name.
func batch(name string) manifest.Batch {
	return manifest.Batch{Object: manifest.Object{Key: name, Bytes: 10}, At: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC).UnixMicro(), Documents: 2}
}

// appending is a store with an empty index.
func appending(t interface {
	Context() context.Context
	Fatal(...any)
}) (*fakedynamodb.DB, *manifest.Store) {
	db, _ := fakedynamodb.New()
	store := manifest.NewStore(db.Client(), tables.State().Name)
	if _, err := store.Swap(t.Context(), manifest.Manifest{}, manifest.Manifest{Journal: "j"}); err != nil {
		t.Fatal(err)
	}
	return db, store
}

// addTo appends a batch to the newest manifest.
func addTo(ctx context.Context, store *manifest.Store, name string) error {
	m, err := store.Read(ctx)
	if err != nil {
		return err
	}
	next := m
	next.Cursor = name
	_, err = store.Append(ctx, m, next, batch(name))
	return err
}

// Writers die before and after any of their writes, their writes arrive late, responses are
// lost, and others work in the meantime: the batch under each number is the one of the
// writer that raised the manifest to this number, and stays it.
func TestAppend_NamesTheBatchOfTheWriterThatReplacedTheManifest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db, store := appending(t)
		named, writers := map[int64]string{}, 0
		var late []func()
		var write func(depth int)
		observe := func() {
			m, err := store.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, seen := named[m.Last]; m.Last > 0 && !seen {
				named[m.Last] = m.Cursor
			}
			batches, err := store.Batches(t.Context(), m.Journal, 0, m.Last)
			if err != nil {
				t.Fatal(err)
			}
			for i, b := range batches {
				if b.Number != int64(i+1) || b.Key != named[b.Number] {
					t.Fatalf("%s is in place %d instead of %s", b.Key, i+1, named[b.Number])
				}
			}
			if len(batches) != int(m.Last) || m.Behind() != len(batches) || m.Pending.Documents != 2*len(batches) {
				t.Fatalf("%d of %d batches, with %d documents", len(batches), m.Last, m.Pending.Documents)
			}
		}
		write = func(depth int) {
			writers++
			name := fmt.Sprint("writer", writers)
			client := db.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
				if _, writes := input.(*dynamodb.PutItemInput); !writes {
					return send()
				}
				fate := 9
				if depth < 3 {
					fate = rapid.IntRange(0, 11).Draw(t, "fate")
				}
				switch fate {
				case 0: // dies before
					return nil, errors.New("died")
				case 1: // dies after
					_, _ = send()
					observe()
					return nil, errors.New("died")
				case 2: // arrives late
					late = append(late, func() { _, _ = send(); observe() })
					return nil, errors.New("timed out")
				case 3: // its response is lost, and the SDK sends it again, maybe after others
					_, _ = send()
					observe()
					if rapid.Bool().Draw(t, "others") {
						write(depth + 1)
					}
				case 4, 5:
					write(depth + 1)
				}
				out, err := send()
				observe()
				return out, err
			})
			err := addTo(t.Context(), manifest.NewStore(client, tables.State().Name), name)
			isNamed := slices.Contains(slices.Collect(maps.Values(named)), name)
			if err == nil && !isNamed || errors.Is(err, manifest.ErrMoved) && isNamed {
				t.Fatalf("%s is named: %v, and was told %v", name, isNamed, err)
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "writes") {
			write(0)
			if len(late) > 0 && rapid.Bool().Draw(t, "now") {
				late[0]()
				late = late[1:]
			}
		}
		for _, send := range late {
			send()
		}
		for range 3 { // whatever happened, the next writers get on
			if err := addTo(t.Context(), store, fmt.Sprint("last", writers)); err == nil {
				writers++
			} else if !errors.Is(err, manifest.ErrMoved) {
				t.Fatal(err)
			}
			observe()
		}
		if m, _ := store.Read(t.Context()); len(named) == 0 || m.Cursor[:4] != "last" {
			t.Fatalf("nobody could write any more: %+v", m)
		}
	})
}

func TestAppend_AfterAWriterThatDiedTakesItsNumber(t *testing.T) {
	db, store := appending(t)
	dying := db.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		if put, ok := input.(*dynamodb.PutItemInput); ok && put.Item["name"].(*types.AttributeValueMemberS).Value == "search_index" {
			return nil, errors.New("died")
		}
		return send()
	})
	if err := addTo(t.Context(), manifest.NewStore(dying, tables.State().Name), "dead"); err == nil {
		t.Fatal("it lives")
	}
	if batches, err := store.Batches(t.Context(), "j", 0, 1); err != nil || len(batches) != 1 || batches[0].Key != "dead" {
		t.Fatalf("it left %+v, %v", batches, err)
	}
	if m, err := store.Read(t.Context()); err != nil || m.Behind() != 0 {
		t.Fatalf("it counts: %+v, %v", m, err)
	}
	if err := addTo(t.Context(), store, "next"); !errors.Is(err, manifest.ErrMoved) {
		t.Errorf("the next one: %v", err)
	}
	if err := addTo(t.Context(), store, "next"); err != nil {
		t.Errorf("its second attempt: %v", err)
	}
	if batches, err := store.Batches(t.Context(), "j", 0, 9); err != nil || len(batches) != 1 || batches[0].Key != "next" {
		t.Errorf("got %+v, %v", batches, err)
	}
}

// The item of a batch goes by itself, and not before everything that may need it.
func TestAppend_LetsItsItemExpire(t *testing.T) {
	db, store := appending(t)
	if err := addTo(t.Context(), store, "one"); err != nil {
		t.Fatal(err)
	}
	expires := ""
	for _, item := range db.Items(tables.State().Name) {
		if n, ok := item[tables.ExpiresAt].(*types.AttributeValueMemberN); ok {
			expires += n.Value
		}
	}
	if want := fmt.Sprint(time.UnixMicro(batch("").At).Add(surgical.FeedRetention).Unix()); expires != want {
		t.Errorf("expires at %s, want %s", expires, want)
	}
	if surgical.IndexBatchAge+surgical.IndexPreviousAge+surgical.IndexUnnamed >= surgical.IndexBatchExpires {
		t.Error("a batch expires while the base before it is kept")
	}
}

func TestReplace_RetiresWhatIsNoLongerNamed(t *testing.T) {
	base := func(name string, through int64) manifest.Base {
		return manifest.Base{Through: through, Texts: manifest.Object{Key: name + "-texts"}, Catalog: manifest.Object{Key: name + "-catalog"}}
	}
	at := time.UnixMicro(5)
	objects := []manifest.Retired{{Key: "old-catalog", At: 5}, {Key: "old-texts", At: 5}}
	read := manifest.Manifest{Journal: "j", Last: 9, Base: base("new", 6), Previous: &manifest.Previous{Base: base("old", 2)}}
	batches := func(after, last int64) manifest.Retired {
		return manifest.Retired{Journal: "j", After: after, Last: last, At: 5}
	}
	for name, c := range map[string]struct {
		next manifest.Manifest
		want []manifest.Retired
	}{
		"one more batch":       {manifest.Manifest{Journal: "j", Last: 10, Base: base("new", 6), Previous: read.Previous}, nil},
		"a compaction":         {manifest.Manifest{Journal: "j", Last: 9, Base: base("newer", 8), Previous: &manifest.Previous{Base: read.Base}}, append(objects, batches(2, 6))},
		"no previous base":     {manifest.Manifest{Journal: "j", Last: 9, Base: read.Base}, append(objects, batches(2, 6))},
		"another journal":      {manifest.Manifest{Journal: "k", Base: base("other", 0)}, append([]manifest.Retired{{Key: "new-catalog", At: 5}, {Key: "new-texts", At: 5}}, append(objects, batches(2, 9))...)},
		"an index of a server": {manifest.Manifest{Index: "i"}, append([]manifest.Retired{{Key: "new-catalog", At: 5}, {Key: "new-texts", At: 5}}, append(objects, batches(2, 9))...)},
	} {
		c.next.Replace(read, at)
		if diff := cmp.Diff(c.want, c.next.Retired); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
