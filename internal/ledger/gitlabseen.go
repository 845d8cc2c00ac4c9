package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// seenName is the row of the state table with the crawler's last answer from GitLab.
const seenName = "gitlab_seen"

// Sighting is an answer of GitLab that accepted the token.
type Sighting struct {
	// At is when it was received; zero for none.
	At time.Time
	// RateLimit is what it said about the budget of requests.
	RateLimit surgical.RateLimit
}

// SawGitLab records a sighting. An older one never replaces a newer one.
func (l *Ledger) SawGitLab(ctx context.Context, s Sighting) error {
	at := expression.Name("at")
	update := expression.Set(at, expression.Value(dynamo.Micros(s.At))).
		Set(expression.Name("limit"), expression.Value(s.RateLimit.Limit)).
		Set(expression.Name("remaining"), expression.Value(s.RateLimit.Remaining)).
		Set(expression.Name("resets_at"), expression.Value(dynamo.Micros(s.RateLimit.Reset)))
	err := l.updateState(ctx, seenName, expression.AttributeNotExists(at).Or(at.LessThan(expression.Value(dynamo.Micros(s.At)))), update)
	if err != nil {
		return fmt.Errorf("record an answer of GitLab: %w", err)
	}
	return nil
}

// GitLabSeen returns the newest sighting, zero if there was none.
func (l *Ledger) GitLabSeen(ctx context.Context) (Sighting, error) {
	item, err := l.pauseItem(ctx, seenName)
	if err != nil || item == nil {
		return Sighting{}, err
	}
	var row struct {
		At        int64 `dynamodbav:"at"`
		Limit     int64 `dynamodbav:"limit"`
		Remaining int64 `dynamodbav:"remaining"`
		ResetsAt  int64 `dynamodbav:"resets_at"`
	}
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return Sighting{}, fmt.Errorf("decode an answer of GitLab: %w", err)
	}
	return Sighting{dynamo.FromMicros(row.At), surgical.RateLimit{Limit: row.Limit, Remaining: row.Remaining, Reset: dynamo.FromMicros(row.ResetsAt)}}, nil
}
