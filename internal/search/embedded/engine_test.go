package embedded_test

import (
	"math/rand/v2"
	"slices"
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

// What was indexed is the same; only the order in which it came differs.
func TestSearch_RanksAlikeHoweverTheIndexCameAbout(t *testing.T) {
	words := strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango")
	random := rand.New(rand.NewPCG(13, 7))
	texts := make([]string, 40)
	for i := range texts {
		for range 20 {
			texts[i] += words[random.IntN(len(words))] + " "
		}
	}
	const entities = 600
	ranked := func(order []int, atOnce int) []string {
		w := newWorld(t)
		w.Model = "two-things"
		e := w.Engine()
		w.Rebuild(e)
		for some := range slices.Chunk(order, atOnce) {
			var changes []search.Change
			for _, n := range some {
				changes = append(changes, w.Embedded(searchtest.Entity(int64(n+1), texts[n%len(texts)])))
			}
			w.Apply(e, changes...)
		}
		return w.Words(e, strings.Join(words, " "))
	}
	last := []int{}
	for n := range entities {
		last = append(last, entities-1-n)
	}
	want := ranked(last, entities)
	for _, atOnce := range []int{20, 200} {
		if diff := cmp.Diff(want, ranked(random.Perm(entities), atOnce)); diff != "" {
			t.Errorf("%d at once (-want +got):\n%s", atOnce, diff)
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
