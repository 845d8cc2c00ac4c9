package embedding

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func lexical(t interface {
	Helper()
	Fatal(...any)
}, texts ...string) [][]float32 {
	t.Helper()
	vectors, err := Lexical{}.Embed(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	return vectors
}

func cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestLexical_GivesATextOneVectorOfLengthOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		v := lexical(t, text, "something else", text)
		if diff := cmp.Diff(v[0], v[2]); diff != "" {
			t.Fatalf("vectors (-first +second):\n%s", diff)
		}
		if n := len(v[0]); n != (Lexical{}).Dimensions() {
			t.Fatalf("%d dimensions", n)
		}
		if length := math.Sqrt(cosine(v[0], v[0])); math.Abs(length-1) > 1e-5 && length != 0 {
			t.Fatalf("length %v", length)
		}
	})
}

// Stored vectors of one model must stay comparable: a change here needs a new
// model name.
func TestLexical_KeepsTheVectorsOfV1(t *testing.T) {
	v := lexical(t, "Cache misses, cache hits; stale")[0]
	got := map[int]float64{}
	for i, x := range v {
		if x != 0 {
			got[i] = math.Round(float64(x)*1e4) / 1e4
		}
	}
	if diff := cmp.Diff(map[int]float64{83: 0.3184, 158: -0.3184, 170: 0.3184, 187: 0.3184, 197: 0.3184, 325: 0.539, 347: 0.3184, 361: 0.3184}, got); diff != "" {
		t.Errorf("vector (-want +got):\n%s", diff)
	}
}

func TestLexical_PlacesTextsWithSharedWordsCloser(t *testing.T) {
	for _, c := range []struct{ name, text, near, far string }{
		{"words", "The cache serves stale answers after a failover", "stale answers from the cache", "Upgrade the build image to the newest release"},
		{"order", "open the door, close the window", "close the window, open the door", "close door window the open the"},
		{"case", "Ärger mit STRASSE", "ärger MIT strasse", "Freude ohne Straße"},
		{"no spaces", "缓存返回旧的答案", "旧的缓存", "升级构建镜像"},
		{"digits", "error 4042 in worker", "what is error 4042", "what is error 17"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := lexical(t, c.text, c.near, c.far)
			if near, far := cosine(v[0], v[1]), cosine(v[0], v[2]); near <= far {
				t.Errorf("near %.3f, far %.3f", near, far)
			}
		})
	}
}

func TestLexical_DampensRepetition(t *testing.T) {
	v := lexical(t, "cache failover", "cache "+strings.Repeat("noise ", 3), "cache "+strings.Repeat("noise ", 300))
	if few, many := cosine(v[0], v[1]), cosine(v[0], v[2]); many < few/10 {
		t.Errorf("with little noise %.3f, with much %.3f", few, many)
	}
}

func TestLexical_GivesATextWithoutWordsTheZeroVector(t *testing.T) {
	for _, v := range lexical(t, "", " \n", "--- !", "\xff") {
		if diff := cmp.Diff(make([]float32, 512), v); diff != "" {
			t.Errorf("vector (-want +got):\n%s", diff)
		}
	}
	if v := lexical(t); len(v) != 0 {
		t.Errorf("no texts have %d vectors", len(v))
	}
}
