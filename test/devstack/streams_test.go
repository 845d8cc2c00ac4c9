package devstack

import (
	"os"
	"path/filepath"
	"testing"
)

func TestForgetStreams_RemovesNothingElse(t *testing.T) {
	dir := t.TempDir()
	if err := forgetStreams(dir); err != nil {
		t.Errorf("without a state: %v", err)
	}
	file := filepath.Join(dir, "state", "lambda.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`{"__ministack_format__":2,"payload":{"functions":{"a":1},"dynamodb_stream_positions":{"b":500}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := forgetStreams(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != `{"__ministack_format__":2,"payload":{"functions":{"a":1}}}` {
		t.Errorf("%s, %v", got, err)
	}
	if err := os.WriteFile(file, []byte(`{"dynamodb_stream_positions":{"b":500}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if forgetStreams(dir) == nil {
		t.Error("a format without a payload is accepted, and its positions stay")
	}
}
