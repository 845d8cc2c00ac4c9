package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// forgetStreams lets the local AWS read the streams of tables from their beginning when it
// starts. It keeps how far it read, but not the records: it would wait until there are as
// many new ones as it has read before.
func forgetStreams(dir string) error {
	file := filepath.Join(dir, "state", "lambda.json")
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// The file names the version of its format beside the state itself.
	var state map[string]json.RawMessage
	var service map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(raw, &state)
	}
	if err == nil {
		err = json.Unmarshal(state["payload"], &service)
	}
	if err == nil {
		delete(service, "dynamodb_stream_positions")
		state["payload"], err = json.Marshal(service)
	}
	if err == nil {
		raw, err = json.Marshal(state)
	}
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("let the local AWS read streams anew: %w", err)
	}
	return nil
}
