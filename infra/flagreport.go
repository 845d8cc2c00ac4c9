package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// dropFlagReport removes the list of the CDK's feature flags from a synthesized app. It
// has no effect on the stack, but with it the CDK CLI ends with a warning about flags that
// are not configured, which readers take for something to do.
func dropFlagReport(assembly string) error {
	file := filepath.Join(assembly, "manifest.json")
	var manifest, artifacts map[string]json.RawMessage
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("drop the report of feature flags: %w", err)
	}
	if err = json.Unmarshal(text, &manifest); err == nil {
		err = json.Unmarshal(manifest["artifacts"], &artifacts)
	}
	if err != nil {
		return fmt.Errorf("drop the report of feature flags from %s: %w", file, err)
	}
	for id, raw := range artifacts {
		var artifact struct{ Type string }
		if json.Unmarshal(raw, &artifact) == nil && artifact.Type == "cdk:feature-flag-report" {
			delete(artifacts, id)
		}
	}
	if text, err = json.Marshal(artifacts); err == nil {
		manifest["artifacts"] = text
		text, err = json.MarshalIndent(manifest, "", "  ")
	}
	if err == nil {
		err = os.WriteFile(file, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("drop the report of feature flags from %s: %w", file, err)
	}
	return nil
}
