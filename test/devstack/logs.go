package devstack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// LogLine is one line that a function logged.
type LogLine struct {
	At       time.Time
	Function string
	Text     string
}

// Logs returns the log lines of the local stack's functions since a time,
// oldest first.
func Logs(ctx context.Context, endpoint string, since time.Time) ([]LogLine, error) {
	var groups struct {
		LogGroups []struct {
			Name string `json:"logGroupName"`
		} `json:"logGroups"`
	}
	if err := logsCall(ctx, endpoint, "DescribeLogGroups", struct{}{}, &groups); err != nil {
		return nil, err
	}
	var lines []LogLine
	for _, g := range groups.LogGroups {
		of, err := groupLines(ctx, endpoint, g.Name, since)
		if err != nil {
			return nil, err
		}
		lines = append(lines, of...)
	}
	slices.SortStableFunc(lines, func(a, b LogLine) int { return a.At.Compare(b.At) })
	return lines, nil
}

func groupLines(ctx context.Context, endpoint, group string, since time.Time) ([]LogLine, error) {
	type query struct {
		Group string `json:"logGroupName"`
		Start int64  `json:"startTime"`
		Next  string `json:"nextToken,omitempty"`
	}
	var lines []LogLine
	for q := (query{Group: group, Start: since.UnixMilli()}); ; {
		var page struct {
			Events []struct {
				Timestamp int64  `json:"timestamp"`
				Message   string `json:"message"`
			} `json:"events"`
			Next string `json:"nextToken"`
		}
		if err := logsCall(ctx, endpoint, "FilterLogEvents", q, &page); err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			lines = append(lines, LogLine{At: time.UnixMilli(e.Timestamp), Function: shortName(group), Text: strings.TrimRight(e.Message, "\n")})
		}
		if page.Next == "" || page.Next == q.Next {
			return lines, nil
		}
		q.Next = page.Next
	}
}

// shortName extracts the function's name from the log group's:
// lorehook-WorkerLogs1A2B.
func shortName(group string) string {
	name := group[strings.LastIndexAny(group, "/-")+1:]
	if i := strings.Index(group, "Logs"); i >= 0 {
		name = group[strings.LastIndexAny(group[:i], "/-")+1 : i]
	}
	return strings.ToLower(name)
}

// logsCall speaks CloudWatch Logs' JSON protocol. Two calls do not justify
// another SDK module.
func logsCall(ctx context.Context, endpoint, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Logs_20140328."+operation)
	cfg, sum := Config(endpoint), sha256.Sum256(body)
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "logs", Region, time.Now()); err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("logs: %s returned %s: %.300s", operation, resp.Status, raw)
	}
	return json.Unmarshal(raw, out)
}
