package minilm

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/test/modelfiles"
)

// testdata/tokens.jsonl.gz has texts with their tokens, from Hugging Face
// tokenizers 0.23.3: odd ones, and random mixtures of pieces, scripts, accents,
// white space, controls and special tokens.
func TestTokenizer_EqualsTheOriginal(t *testing.T) {
	tokens := vocabulary(t)
	n := 0
	for line := range lines(t, "testdata/tokens.jsonl.gz") {
		var want struct {
			Text   string `json:"text"`
			Tokens []int  `json:"tokens"`
		}
		decode(t, line, &want)
		n++
		if got := tokens.Encode(want.Text, MaxTokens); !slices.Equal(got, want.Tokens) {
			t.Errorf("%q:\n got %v\nwant %v", want.Text, got, want.Tokens)
		}
	}
	if n < 700 {
		t.Errorf("%d texts were compared", n)
	}
}

// testdata/codepoints.txt.gz says for each character what the original makes of it
// between two letters; the line of a range is that of its first character.
func TestTokenizer_TreatsEveryCharacterAsTheOriginal(t *testing.T) {
	tokens := vocabulary(t)
	type span struct {
		first rune
		want  string
	}
	var spans []span
	for line := range lines(t, "testdata/codepoints.txt.gz") {
		first, want, _ := strings.Cut(string(line), " ")
		r, err := strconv.ParseInt(first, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		spans = append(spans, span{rune(r), want})
	}
	wrong := 0
	for r := range rune(0x110000) {
		if r >= 0xD800 && r <= 0xDFFF {
			continue
		}
		for len(spans) > 1 && spans[1].first <= r {
			spans = spans[1:]
		}
		var got []string
		for _, token := range tokens.words("a" + string(r) + "b") {
			got = append(got, strconv.Itoa(token))
		}
		if s := strings.Join(got, " "); s != spans[0].want {
			if wrong++; wrong < 20 {
				t.Errorf("U+%04X: got %s, want %s", r, s, spans[0].want)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d characters differ", wrong)
	}
}

// words returns the tokens of a text without those around it.
func (t *Tokenizer) words(text string) []int {
	tokens := t.Encode(text, MaxTokens)
	return tokens[1 : len(tokens)-1]
}

func TestTokenizer_CutsAtTheLimit(t *testing.T) {
	tokens := vocabulary(t)
	for _, limit := range []int{2, 3, 16, MaxTokens} {
		for _, text := range []string{"", "one two three four five six", strings.Repeat("unbelievably ", 300), strings.Repeat("[SEP]", 300)} {
			got := tokens.Encode(text, limit)
			if len(got) > limit || got[0] != tokens.begin || got[len(got)-1] != tokens.end {
				t.Errorf("limit %d: %v", limit, got)
			}
			if whole := tokens.Encode(text, 5000); !slices.Equal(got[:len(got)-1], whole[:len(got)-1]) {
				t.Errorf("limit %d: %v does not begin like %v", limit, got, whole)
			}
		}
	}
}

func TestNewTokenizer_RefusesAnotherVocabulary(t *testing.T) {
	if _, err := NewTokenizer([]string{"[PAD]"}); err == nil {
		t.Error("a vocabulary of one token was accepted")
	}
	if _, err := NewTokenizer(make([]string, vocabularySize)); err == nil {
		t.Error("a vocabulary without [CLS] was accepted")
	}
}

// testdata/vectors.jsonl has vectors from onnxruntime 1.32.0 and an ONNX export of
// the same weights.
func TestModel_EqualsTheOriginal(t *testing.T) {
	m := open(t)
	data, err := os.ReadFile("testdata/vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var worst float64
	for line := range bytes.Lines(data) {
		var want struct {
			Text   string `json:"text"`
			Tokens int    `json:"tokens"`
			Vector string `json:"vector"`
		}
		decode(t, line, &want)
		raw, err := base64.StdEncoding.DecodeString(want.Vector)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Embed(t.Context(), want.Text)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != Dimensions || len(raw) != 4*Dimensions {
			t.Fatalf("%d and %d values", len(got), len(raw)/4)
		}
		for i, v := range floatsOf(raw) {
			worst = max(worst, math.Abs(float64(v-got[i])))
		}
		if n := len(m.tokens.Encode(want.Text, MaxTokens)); n != want.Tokens {
			t.Errorf("%q has %d tokens, want %d", want.Text, n, want.Tokens)
		}
	}
	t.Logf("greatest difference of a value: %.1e", worst)
	if worst > 2e-6 {
		t.Errorf("a value differs by %.1e", worst)
	}
}

func TestModel_StopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v, err := open(t).Embed(ctx, "a text"); !errors.Is(err, context.Canceled) || v != nil {
		t.Errorf("%v, error %v", v, err)
	}
}

func TestOpen_NamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty directory: error %v", err)
	}
	vocabulary, err := os.ReadFile(filepath.Join(modelfiles.Dir(t), vocabularyFile))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, vocabularyFile), vocabulary)
	for name, file := range map[string]string{
		"empty": "", "short": "\x08\x00\x00\x00\x00\x00\x00\x00{", "not JSON": "\x02\x00\x00\x00\x00\x00\x00\x00[]",
		"no tensors": "\x02\x00\x00\x00\x00\x00\x00\x00{}",
	} {
		write(t, filepath.Join(dir, weightsFile), []byte(file))
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), weightsFile) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestTensors_RefuseWhatDoesNotFit(t *testing.T) {
	const header = `{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},` +
		`"half":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"out":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},` +
		`"back":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	tensors, err := parseTensors(append(file, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tensors.floats("a", 2, 1); err != nil || !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("%v, error %v", got, err)
	}
	for _, c := range []struct {
		name  string
		shape []int
	}{{"missing", []int{1}}, {"a", []int{1, 2}}, {"a", []int{2}}, {"half", []int{2}}, {"out", []int{3}}, {"back", []int{1}}} {
		if got, err := tensors.floats(c.name, c.shape...); err == nil || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s of shape %v: %v, error %v", c.name, c.shape, got, err)
		}
	}
}

func TestGELU_IsCloseToItsExactForm(t *testing.T) {
	table := newGELU()
	var worst float64
	for x := float32(-9); x < 9; x += 0.00037 {
		y := []float32{x}
		table.apply(y)
		worst = max(worst, math.Abs(float64(y[0])-0.5*float64(x)*(1+math.Erf(float64(x)/math.Sqrt2))))
	}
	if worst > 1e-6 {
		t.Errorf("it differs by %.1e", worst)
	}
}

func BenchmarkModel(b *testing.B) {
	m := open(b)
	for _, words := range []int{5, 100, 250} {
		text := strings.Repeat("word ", words)
		b.Run(strconv.Itoa(words)+" words", func(b *testing.B) {
			for b.Loop() {
				if _, err := m.Embed(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func open(t testing.TB) *Model {
	t.Helper()
	m, err := Open(modelfiles.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func vocabulary(t testing.TB) *Tokenizer {
	t.Helper()
	tokens, err := openVocabulary(filepath.Join(modelfiles.Dir(t), vocabularyFile))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// lines returns the lines of a compressed file.
func lines(t *testing.T, path string) func(func([]byte) bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(data) {
			if !yield(bytes.TrimSuffix(line, []byte("\n"))) {
				return
			}
		}
	}
}

func decode(t *testing.T, line []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(line, v); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
