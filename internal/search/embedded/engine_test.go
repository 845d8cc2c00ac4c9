package embedded_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/bucket"
	"gitlab.com/lorehook/lorehook/internal/search"
	"gitlab.com/lorehook/lorehook/internal/search/embedded"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/test/searchtest"
)

// What was indexed is the same. Only how it came about differs: in which order, in how many
// batches, whether somebody searched in between, and whether it was compacted.
func TestSearch_RanksAlikeHoweverTheIndexCameAbout(t *testing.T) {
	words := strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango")
	random := rand.New(rand.NewPCG(13, 7))
	texts := make([]string, 40)
	for i := range texts {
		for range 20 {
			texts[i] += words[random.IntN(len(words))] + " "
		}
		for range random.IntN(60) {
			texts[i] += "rare" + strconv.Itoa(random.IntN(5000)) + " "
		}
	}
	const entities, depth = 600, 50
	query := search.Query{Text: strings.Join(words, " ")}
	type rankings struct{ followed, opened, compacted []search.Candidate }
	ranked := func(model string, order []int, atOnce int) (r rankings) {
		w := newWorld(t)
		w.Model = model
		writer, follower := w.Engine(), w.Engine()
		w.Rebuild(writer)
		find := func(e search.Engine) []search.Candidate {
			found, err := e.Search(t.Context(), query, depth)
			w.Must(err)
			return found.Found
		}
		for some := range slices.Chunk(order, atOnce) {
			var changes []search.Change
			for _, n := range some {
				change := searchtest.Entity(int64(n+1), texts[n%len(texts)])
				if model != "" {
					change = w.Embedded(change)
				}
				changes = append(changes, change)
			}
			w.Apply(writer, changes...)
			r.followed = find(follower)
		}
		r.opened = find(w.Engine())
		w.Must(writer.(*embedded.Engine).CompactNow(t.Context()))
		w.Pass(time.Second)
		r.compacted = find(w.Engine())
		return r
	}
	last := []int{}
	for n := range entities {
		last = append(last, entities-1-n)
	}
	for _, model := range []string{"", "two-things"} {
		want := ranked(model, last, entities).followed
		if len(want) != depth {
			t.Fatalf("found %d", len(want))
		}
		for _, atOnce := range []int{50, 200, entities} {
			got := ranked(model, random.Perm(entities), atOnce)
			for name, found := range map[string][]search.Candidate{"followed": got.followed, "opened": got.opened, "compacted": got.compacted} {
				if diff := cmp.Diff(want, found); diff != "" {
					t.Errorf("model %q, %d at once, %s (-want +got):\n%.1000s", model, atOnce, name, diff)
				}
			}
		}
	}
}

func TestSearch_OfABucketThatIsAwayAnswersFromItsCopyOrSaysWhenToTryAgain(t *testing.T) {
	w := newWorld(t)
	e, ok := w.Engine().(*embedded.Engine)
	if !ok {
		t.Fatal("another engine")
	}
	w.Rebuild(e, searchtest.Entity(1, "a crash"))
	away := bucket.Client(aws.Config{Region: "eu-central-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), RetryMaxAttempts: 1, Credentials: aws.AnonymousCredentials{}})
	first := w.Engine().(*embedded.Engine)
	first.Objects = bucket.New(away, "index")
	_, err := first.Search(t.Context(), search.Query{Text: "crash"}, 10)
	w.Same("without a copy", surgical.CodeDependencyUnavailable, search.ReplyOf(search.Answer{}, err).Failure.Code)
	w.Same("with one", 1, len(w.Words(e, "crash")))
	w.Apply(w.Engine(), searchtest.Entity(2, "a crash"))
	e.Objects = first.Objects
	w.Pass(time.Minute)
	w.Same("with an older one", 1, len(w.Words(e, "crash")))
}
