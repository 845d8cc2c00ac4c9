package embedded_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/search/manifest"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/cloud"
	"gitlab.com/lorehook/lorehook/test/sample"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// damages returns ways to damage an object: bits anywhere, missing and additional bytes, and
// the content of another object of its kind, which can be decoded.
func damages(content, another []byte, flips int) map[string][]byte {
	random := rand.New(rand.NewPCG(13, uint64(len(content))))
	all := map[string][]byte{
		"half": content[:len(content)/2], "less the last byte": content[:len(content)-1], "empty": {},
		"with a byte more": append(slices.Clone(content), 0), "twice": append(slices.Clone(content), content...), "another": another,
	}
	for n := range flips {
		// The first bytes decide how the rest is decoded.
		at, bit := n/8, n%8
		if n >= flips/2 {
			at, bit = random.IntN(len(content)), random.IntN(8)
		}
		flipped := slices.Clone(content)
		flipped[at] ^= 1 << bit
		all[fmt.Sprintf("with bit %d of byte %d flipped", bit, at)] = flipped
	}
	return all
}

// Whatever is damaged, a process that starts finds what the index says, from what has the
// same content, or says that the index is damaged. No damage is an internal failure.
func TestSearch_OfADamagedObjectUsesWhatIsIntactOrSaysThatItIsDamaged(t *testing.T) {
	flips := sample.Of(400, 40)
	w := newWorld(t)
	w.Model = "two-things"
	e := w.Engine()
	texts := []string{"the cat sleeps", "a kitten plays", "rain and snow", "a drizzle on the dog"}
	var changes []search.Change
	for n := range int64(40) {
		changes = append(changes, w.Embedded(searchtest.Entity(n+1, fmt.Sprint(texts[n%4], " number ", n))))
	}
	w.Rebuild(e, changes...)
	w.Apply(e, search.Change{Ref: searchtest.Issue(2), Gone: true}, w.Embedded(searchtest.Entity(41, "a cat in the rain")))
	find := func(q string) ([]string, error) {
		found, err := w.Engine().Search(t.Context(), search.Query{Text: q}, 50)
		var ids []string
		for _, c := range found.Found {
			ids = append(ids, search.ChunkID(c.Ref, c.Document, c.Chunk))
		}
		return ids, err
	}
	try := func(state string, keys []string, another map[string][]byte, check func(kind, damage string, ids []string, err error)) {
		contents := w.bucket.Contents()
		for _, key := range keys {
			kind, _, _ := strings.Cut(key, "/")
			ways := damages(contents[key], another[kind], flips)
			for way, content := range ways {
				w.bucket.Corrupt(key, content)
				ids, err := find("kitten")
				check(kind, fmt.Sprintf("%s, %s %s", state, kind, way), ids, err)
			}
			w.bucket.Corrupt(key, contents[key])
			t.Logf("%s: %d kinds of damage of %s", state, len(ways), kind)
		}
	}
	whole, err := find("kitten")
	w.Must(err)
	another := map[string][]byte{"batch": w.bucket.Contents()[w.manifest().Base.Catalog.Key]}
	base := func() (keys []string) {
		for _, o := range w.manifest().Base.Objects() {
			keys = append(keys, o.Key)
		}
		return keys
	}
	first := base()
	for _, key := range first {
		kind, _, _ := strings.Cut(key, "/")
		another[kind] = w.bucket.Contents()[key]
	}
	batch := slices.DeleteFunc(w.keys(), func(key string) bool { return !strings.HasPrefix(key, "batch/") })
	try("without the batch", batch, another, func(_, damage string, ids []string, err error) {
		if err != nil || !slices.Contains(ids, "1#issue#2/entity/0") {
			t.Errorf("%s: %v, %v", damage, ids, err)
		}
	})
	w.compact(e)
	compacted := base()
	try("with the base before", compacted, another, func(_, damage string, ids []string, err error) {
		if err != nil || !slices.Equal(ids, whole) {
			t.Errorf("%s: %v, %v", damage, ids, err)
		}
	})
	m := w.manifest()
	next := m
	next.Previous = nil
	_, err = w.Manifests.Swap(t.Context(), m, next)
	w.Must(err)
	try("without a base before", compacted, another, func(_, damage string, ids []string, err error) {
		if !errors.Is(err, search.ErrDamaged) || surgical.CodeOf(err) != surgical.CodeIndexNotReady || surgical.AsError(err).RetryAfter == 0 {
			t.Errorf("%s: %v, %v", damage, ids, err)
		}
		if _, err := search.ReplyOf(search.Answer{}, err).Result(); !errors.Is(err, search.ErrDamaged) {
			t.Errorf("%s: the reply does not say so: %v", damage, err)
		}
	})
	intact, err := find("kitten")
	w.Must(err)
	w.Same("intact again", whole, intact)
}

// cut is a body whose connection is lost after some bytes.
type cut struct{ io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
func (cut) Close() error { return nil }

func TestSearch_OfALostConnectionIsNotDamage(t *testing.T) {
	w := newWorld(t)
	w.Rebuild(w.Engine(), searchtest.Entity(1, "a crash"))
	for kind, key := range map[string]string{"texts": w.manifest().Base.Texts.Key, "catalog": w.manifest().Base.Catalog.Key} {
		client := w.bucket.Client(cloud.InterceptAPI("s3", func(_ context.Context, call cloud.Call, send func() error) error {
			err := send()
			if out, ok := call.Output().(*s3.GetObjectOutput); ok && *call.Input.(*s3.GetObjectInput).Key == key {
				content := w.bucket.Contents()[key]
				out.Body = cut{bytes.NewReader(content[:len(content)/2])}
			}
			return err
		}))
		e, err := embedded.New(embedded.Options{
			Manifests: w.Manifests, Objects: bucket.New(client, "index"), Dir: t.TempDir(), Language: w.Language, Clock: w.Clock, Log: slog.New(slog.DiscardHandler),
		})
		w.Must(err)
		_, err = e.Search(t.Context(), search.Query{Text: "crash"}, 10)
		if surgical.CodeOf(err) != surgical.CodeDependencyUnavailable || errors.Is(err, search.ErrDamaged) {
			t.Errorf("%s: %v", kind, err)
		}
		w.Must(e.Close())
	}
}

// Whatever a process lacks to open what it unpacked, only the checksum says that a part is
// damaged: a rebuild would not help.
func TestSearch_OfIntactTextsThatCannotBeOpenedIsNotDamage(t *testing.T) {
	w := newWorld(t)
	w.Rebuild(w.Engine(), searchtest.Entity(1, "a crash"))
	m := w.manifest()
	next := m
	sum := sha256.Sum256(nil)
	next.Base.Texts = manifest.Object{Key: "texts/empty", SHA256: sum[:]}
	w.bucket.Corrupt(next.Base.Texts.Key, []byte{})
	_, err := w.Manifests.Swap(t.Context(), m, next)
	w.Must(err)
	_, err = w.Engine().Search(t.Context(), search.Query{Text: "crash"}, 10)
	if err == nil || errors.Is(err, search.ErrDamaged) || surgical.CodeOf(err) == surgical.CodeIndexNotReady {
		t.Errorf("got %v", err)
	}
}
