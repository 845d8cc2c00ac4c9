package main

import (
	"testing"

	"github.com/aws/smithy-go/logging"
)

// Without credentials, the SDK would warn of its fallback before lore says what to do.
func TestLoadAWS_LogsNothing(t *testing.T) {
	config, err := loadAWS(t.Context(), "", "eu-central-1")
	if _, silent := config.Logger.(logging.Nop); err != nil || !silent {
		t.Errorf("the SDK logs to %T (%v)", config.Logger, err)
	}
}
