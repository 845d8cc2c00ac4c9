package render

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// thousand returns GitLab's JSON for 1,000 discussions with three notes each.
func thousand(b *testing.B) []json.RawMessage {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	all := make([]json.RawMessage, 1000)
	for i := range all {
		notes := make([]any, 3)
		for j := range notes {
			notes[j] = map[string]any{
				"id": i*3 + j + 1, "body": strings.Join(prose(random, 3), "\n\n"), "created_at": "2026-01-04T09:00:00.000Z",
				"author": map[string]any{"username": "ada", "name": "Ada Example"}, "resolvable": true,
			}
		}
		raw, err := json.Marshal(map[string]any{"id": fmt.Sprintf("%040x", i), "notes": notes})
		if err != nil {
			b.Fatal(err)
		}
		all[i] = raw
	}
	return all
}

func BenchmarkRender1000Discussions(b *testing.B) {
	discussions := thousand(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, raw := range discussions {
			mustDiscussion(b, mr12, mrHead, string(raw))
		}
	}
}

func BenchmarkChunk1000Discussions(b *testing.B) {
	var documents []surgical.Document
	for _, raw := range thousand(b) {
		documents = append(documents, mustDiscussion(b, mr12, mrHead, string(raw)))
	}
	b.ReportAllocs()
	chunks := 0
	for b.Loop() {
		chunks = 0
		for _, d := range documents {
			chunks += len(Chunks(d))
		}
	}
	b.ReportMetric(float64(chunks), "chunks")
}

func BenchmarkChunkOneMegabyte(b *testing.B) {
	d := surgical.Document{Title: "t", Text: strings.Join(prose(rand.New(rand.NewPCG(1, 1)), 4500), "\n\n")}
	b.SetBytes(int64(len(d.Text)))
	b.ReportAllocs()
	for b.Loop() {
		Chunks(d)
	}
}
