// Package trace propagates a W3C traceparent, so that one query over the logs
// finds everything about a delivery. Within a function it is in the context;
// between functions it is in a message attribute, in the run row and in the
// workflow's input.
//
// Lorehook records no spans, so it passes the value on unchanged, as the standard
// requires of a component that does not participate in a trace. Without one, the
// value is derived from the X-Ray trace of the Lambda invocation, so that the same
// id finds the logs and the trace: X-Ray writes 5759e988bd862e3fe1be46a994272793
// as 1-5759e988-bd862e3fe1be46a994272793. None of this needs a tracing SDK.
package trace

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Header is the name of the HTTP header, the message attribute and the log field.
const Header = "traceparent"

// parentLen is the length of a traceparent of version 00.
const parentLen = 55

// Parse returns value as a traceparent of version 00, or "" if it is invalid. Of a
// later version it keeps the part that version 00 defines.
func Parse(value string) string {
	if len(value) < parentLen || len(value) > parentLen && (value[:2] == "00" || value[parentLen] != '-') {
		return ""
	}
	version, rest, _ := strings.Cut(value[:parentLen], "-")
	traceID, rest, _ := strings.Cut(rest, "-")
	parentID, flags, _ := strings.Cut(rest, "-")
	if !isHex(version, 2) || !isHex(traceID, 32) || !isHex(parentID, 16) || !isHex(flags, 2) {
		return ""
	}
	if version == "ff" || zero(traceID) || zero(parentID) {
		return ""
	}
	return "00" + value[2:parentLen]
}

func isHex(s string, length int) bool {
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return len(s) == length
}

func zero(s string) bool { return strings.Trim(s, "0") == "" }

// lambdaKey is the context key of the invocation's X-Ray header in aws-lambda-go.
const lambdaKey = "x-amzn-trace-id"

// Source returns a function that returns the traceparent of the invocation's X-Ray
// trace, or else a new one with random ids. The function panics if random fails,
// which crypto/rand.Reader never does.
func Source(random io.Reader) func(context.Context) string {
	return func(ctx context.Context) string {
		header, _ := ctx.Value(lambdaKey).(string)
		return traceparent(header, random)
	}
}

// traceparent returns the traceparent for an X-Ray header, with random ids for
// those that it lacks.
func traceparent(header string, random io.Reader) string {
	root, parent, flags := xray(header)
	var ids [24]byte
	if root == "" || parent == "" {
		if _, err := io.ReadFull(random, ids[:]); err != nil {
			panic(fmt.Errorf("trace: no random numbers: %w", err))
		}
	}
	if root == "" {
		root = hex.EncodeToString(ids[:16])
	}
	if parent == "" {
		parent = hex.EncodeToString(ids[16:])
	}
	return Parse("00-" + root + "-" + parent + "-" + flags)
}

// xray parses a header such as
// Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1.
func xray(header string) (root, parent, flags string) {
	flags = "00"
	for part := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "Root":
			id := strings.ReplaceAll(strings.TrimPrefix(value, "1-"), "-", "")
			if isHex(id, 32) && !zero(id) {
				root = id
			}
		case "Parent":
			if isHex(value, 16) && !zero(value) {
				parent = value
			}
		case "Sampled":
			if value == "1" {
				flags = "01"
			}
		}
	}
	return root, parent, flags
}
