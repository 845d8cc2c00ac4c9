package embedder_test

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/embedding"
	fakeembedder "gitlab.com/lorehook/lorehook/test/fake/embedder"
)

var _ embedding.Embedder = fakeembedder.Words{}

func TestHandler_AnswersTheProductsClientWithTheSameVectors(t *testing.T) {
	server := httptest.NewServer(fakeembedder.Handler())
	defer server.Close()
	client := embedding.NewOpenAI(embedding.OpenAIOptions{URL: server.URL + "/v1", Model: fakeembedder.Name})
	texts := []string{"a rollback of the release", "", "the release's rollback", "件名"}
	got, err := client.Embed(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	var words fakeembedder.Words
	want, err := words.Embed(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if client.Model() != words.Model() || client.Dimensions() != words.Dimensions() || client.MaxBatch() != words.MaxBatch() {
		t.Errorf("the client is %s with %d dimensions and batches of %d", client.Model(), client.Dimensions(), client.MaxBatch())
	}
}
