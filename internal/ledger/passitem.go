package ledger

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The items of a pass in the projects table, under its project. The kind of the pass
// follows the prefix.
const (
	passPrefix    = "pass#"
	windowPrefix  = "window#"
	failurePrefix = "failure#"
)

// passVersion is the version of a pass's row. A row of another version is not
// continued: its cursor may mean something else.
const passVersion = 1

func passKey(projectID int64, kind surgical.PassKind) dynamo.Item {
	return projectKey(projectID, passPrefix+string(kind))
}

// windowItemsOf and failureItemsOf are the prefixes of the sort keys of a pass's
// windows and failures. The id of the pass is part of them, so that a pass does not
// find those of an earlier one.
func windowItemsOf(p surgical.Pass) string {
	return windowPrefix + string(p.Kind) + "#" + p.ID + "#"
}

func failureItemsOf(p surgical.Pass) string {
	return failurePrefix + string(p.Kind) + "#" + p.ID + "#"
}

// passItem is the row of a pass. Times are Unix microseconds; absent attributes are
// zero.
type passItem struct {
	ProjectID int64  `dynamodbav:"project_id"`
	Item      string `dynamodbav:"item"`
	Version   int64  `dynamodbav:"version"`
	Revision  int64  `dynamodbav:"revision"`

	ID     string   `dynamodbav:"id"`
	Status string   `dynamodbav:"status"`
	For    []string `dynamodbav:"for,omitempty"`

	RequestedAt int64 `dynamodbav:"requested_at,omitempty"`
	StartedAt   int64 `dynamodbav:"started_at,omitempty"`
	UpdatedAt   int64 `dynamodbav:"updated_at,omitempty"`
	FinishedAt  int64 `dynamodbav:"finished_at,omitempty"`
	DueAt       int64 `dynamodbav:"due_at,omitempty"`

	Legs        []legItem        `dynamodbav:"legs,omitempty"`
	Leg         int              `dynamodbav:"leg,omitempty"`
	Cursor      string           `dynamodbav:"cursor,omitempty"`
	Windows     int64            `dynamodbav:"windows,omitempty"`
	Outstanding int64            `dynamodbav:"outstanding,omitempty"`
	Counts      passCountsItem   `dynamodbav:"counts"`
	Checkpoints map[string]int64 `dynamodbav:"checkpoints,omitempty"`
	Found       map[string]int64 `dynamodbav:"found,omitempty"`
	First       bool             `dynamodbav:"first,omitempty"`
	GivenUp     []awaitedItem    `dynamodbav:"given_up,omitempty"`
	MoreSince   int64            `dynamodbav:"more_since,omitempty"`
	ListedAt    int64            `dynamodbav:"listed_at,omitempty"`

	Error        *errorItem `dynamodbav:"error,omitempty"`
	Tries        int64      `dynamodbav:"tries,omitempty"`
	FailingSince int64      `dynamodbav:"failing_since,omitempty"`

	WriteToken string `dynamodbav:"write_token,omitempty"`
}

type legItem struct {
	Type    string `dynamodbav:"type,omitempty"`
	Since   int64  `dynamodbav:"since,omitempty"`
	CatchUp bool   `dynamodbav:"catch_up,omitempty"`
	Copies  bool   `dynamodbav:"copies,omitempty"`
	Began   int64  `dynamodbav:"began,omitempty"`
	Newest  int64  `dynamodbav:"newest,omitempty"`
	Total   int64  `dynamodbav:"total"`
}

type passCountsItem struct {
	Listed       int64 `dynamodbav:"listed,omitempty"`
	Different    int64 `dynamodbav:"different,omitempty"`
	Done         int64 `dynamodbav:"done,omitempty"`
	Failed       int64 `dynamodbav:"failed,omitempty"`
	Unreadable   int64 `dynamodbav:"unreadable,omitempty"`
	Missed       int64 `dynamodbav:"missed,omitempty"`
	Pages        int64 `dynamodbav:"pages,omitempty"`
	ListRequests int64 `dynamodbav:"list_requests,omitempty"`
	Requests     int64 `dynamodbav:"requests,omitempty"`
	Copies       int64 `dynamodbav:"copies,omitempty"`
}

func itemOfPass(p surgical.Pass) passItem {
	item := passItem{
		ProjectID: p.ProjectID, Item: passPrefix + string(p.Kind), Version: passVersion, Revision: p.Revision,
		ID: p.ID, Status: string(p.Status), For: p.For,
		RequestedAt: dynamo.Micros(p.RequestedAt), StartedAt: dynamo.Micros(p.StartedAt), UpdatedAt: dynamo.Micros(p.UpdatedAt),
		FinishedAt: dynamo.Micros(p.FinishedAt), DueAt: dynamo.Micros(p.DueAt),
		Leg: p.Leg, Cursor: p.Cursor, Windows: p.Windows, Outstanding: p.Outstanding, Counts: passCountsItem(p.Counts), First: p.First, MoreSince: dynamo.Micros(p.MoreSince), ListedAt: dynamo.Micros(p.ListedAt),
		Error: itemOfError(p.Error), Tries: p.Tries, FailingSince: dynamo.Micros(p.FailingSince),
	}
	for _, leg := range p.Legs {
		item.Legs = append(item.Legs, legItem{string(leg.Type), dynamo.Micros(leg.Since), leg.CatchUp, leg.Copies, dynamo.Micros(leg.Began), dynamo.Micros(leg.Newest), leg.Total})
	}
	for _, a := range p.GivenUp {
		item.GivenUp = append(item.GivenUp, itemOfAwaited(a))
	}
	item.Found = itemOfFound(p.Found)
	if len(p.Checkpoints) > 0 {
		item.Checkpoints = map[string]int64{}
	}
	for typ, at := range p.Checkpoints {
		item.Checkpoints[string(typ)] = dynamo.Micros(at)
	}
	return item
}

func itemOfFound(found map[surgical.Finding]int64) map[string]int64 {
	if len(found) == 0 {
		return nil
	}
	item := make(map[string]int64, len(found))
	for f, n := range found {
		item[string(f)] = n
	}
	return item
}

func foundOf(item map[string]int64) map[surgical.Finding]int64 {
	if len(item) == 0 {
		return nil
	}
	found := make(map[surgical.Finding]int64, len(item))
	for f, n := range item {
		found[surgical.Finding(f)] = n
	}
	return found
}

// passOf decodes the row of a pass. A row of another version gives the pass without
// its legs, failed, so that nothing continues it.
func passOf(item dynamo.Item) (surgical.Pass, error) {
	var row passItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.Pass{}, fmt.Errorf("decode a pass: %w", err)
	}
	p := surgical.Pass{
		ProjectID: row.ProjectID, Kind: surgical.PassKind(strings.TrimPrefix(row.Item, passPrefix)), Revision: row.Revision,
		ID: row.ID, Status: surgical.RunStatus(row.Status), For: row.For,
		RequestedAt: dynamo.FromMicros(row.RequestedAt), StartedAt: dynamo.FromMicros(row.StartedAt), UpdatedAt: dynamo.FromMicros(row.UpdatedAt),
		FinishedAt: dynamo.FromMicros(row.FinishedAt), DueAt: dynamo.FromMicros(row.DueAt),
		Leg: row.Leg, Cursor: row.Cursor, Windows: row.Windows, Outstanding: row.Outstanding, Counts: surgical.PassCounts(row.Counts), First: row.First, MoreSince: dynamo.FromMicros(row.MoreSince), ListedAt: dynamo.FromMicros(row.ListedAt),
		Tries: row.Tries, FailingSince: dynamo.FromMicros(row.FailingSince),
	}
	for _, leg := range row.Legs {
		p.Legs = append(p.Legs, surgical.Leg{
			Type: surgical.EntityType(leg.Type), Since: dynamo.FromMicros(leg.Since), CatchUp: leg.CatchUp, Copies: leg.Copies,
			Began: dynamo.FromMicros(leg.Began), Newest: dynamo.FromMicros(leg.Newest), Total: leg.Total,
		})
	}
	for _, a := range row.GivenUp {
		awaited, err := a.awaited()
		if err != nil {
			return surgical.Pass{}, fmt.Errorf("decode pass %s: %w", row.ID, err)
		}
		p.GivenUp = append(p.GivenUp, awaited)
	}
	p.Found = foundOf(row.Found)
	if len(row.Checkpoints) > 0 {
		p.Checkpoints = map[surgical.EntityType]time.Time{}
	}
	for typ, at := range row.Checkpoints {
		p.Checkpoints[surgical.EntityType(typ)] = dynamo.FromMicros(at)
	}
	var err error
	if p.Error, err = row.Error.error(""); err != nil {
		return surgical.Pass{}, fmt.Errorf("decode pass %s: %w", row.ID, err)
	}
	if row.Version != passVersion {
		p = p.Outdated(row.Version)
	}
	return p, nil
}

// windowItem is a part of a page of a pass.
type windowItem struct {
	ProjectID int64         `dynamodbav:"project_id"`
	Item      string        `dynamodbav:"item"`
	PassID    string        `dynamodbav:"pass_id"`
	Number    int64         `dynamodbav:"number"`
	Sent      bool          `dynamodbav:"sent,omitempty"`
	Left      bool          `dynamodbav:"left,omitempty"`
	ExpiresAt int64         `dynamodbav:"expires_at"`
	Awaited   []awaitedItem `dynamodbav:"awaited"`
}

type awaitedItem struct {
	Target         string `dynamodbav:"target"`
	RunID          string `dynamodbav:"run_id,omitempty"`
	UpdatedAt      int64  `dynamodbav:"updated_at,omitempty"`
	UserNotesCount int64  `dynamodbav:"user_notes_count,omitempty"`
	ListedAt       int64  `dynamodbav:"listed_at,omitempty"`
	Tries          int64  `dynamodbav:"tries,omitempty"`
	Unseen         bool   `dynamodbav:"unseen,omitempty"`
}

func itemOfAwaited(a surgical.Awaited) awaitedItem {
	return awaitedItem{a.Target.String(), a.RunID, dynamo.Micros(a.UpdatedAt), a.UserNotesCount, dynamo.Micros(a.ListedAt), a.Tries, a.Unseen}
}

func (a awaitedItem) awaited() (surgical.Awaited, error) {
	target, err := surgical.ParseTarget(a.Target)
	return surgical.Awaited{
		Entry: surgical.Entry{Target: target, UpdatedAt: dynamo.FromMicros(a.UpdatedAt), UserNotesCount: a.UserNotesCount},
		RunID: a.RunID, ListedAt: dynamo.FromMicros(a.ListedAt), Tries: a.Tries, Unseen: a.Unseen,
	}, err
}

func windowKey(p surgical.Pass, w surgical.Window) dynamo.Item {
	return projectKey(p.ProjectID, fmt.Sprintf("%s%06d", windowItemsOf(p), w.Number))
}

func (l *Ledger) putWindow(p surgical.Pass, w surgical.Window) (types.TransactWriteItem, error) {
	row := windowItem{
		ProjectID: p.ProjectID, Item: fmt.Sprintf("%s%06d", windowItemsOf(p), w.Number),
		PassID: p.ID, Number: w.Number, Sent: w.Sent, Left: w.Left, ExpiresAt: l.clock().Add(runLifetime).Unix(),
	}
	for _, a := range w.Awaited {
		row.Awaited = append(row.Awaited, itemOfAwaited(a))
	}
	item, err := attributevalue.MarshalMap(row)
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode a window of pass %s: %w", p.ID, err)
	}
	return types.TransactWriteItem{Put: &types.Put{TableName: &l.tables.Projects, Item: item}}, nil
}

func windowOf(item dynamo.Item) (surgical.Window, error) {
	var row windowItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.Window{}, fmt.Errorf("decode a window: %w", err)
	}
	w := surgical.Window{PassID: row.PassID, Number: row.Number, Sent: row.Sent, Left: row.Left}
	for _, a := range row.Awaited {
		awaited, err := a.awaited()
		if err != nil {
			return surgical.Window{}, fmt.Errorf("decode a window of pass %s: %w", row.PassID, err)
		}
		w.Awaited = append(w.Awaited, awaited)
	}
	return w, nil
}

// failureRow is an entity that a pass could not bring up to date.
type failureRow struct {
	ProjectID int64  `dynamodbav:"project_id"`
	Item      string `dynamodbav:"item"`
	PassID    string `dynamodbav:"pass_id"`
	awaitedItem
	Code      string `dynamodbav:"code"`
	Message   string `dynamodbav:"message"`
	ExpiresAt int64  `dynamodbav:"expires_at"`
}

func failureKey(p surgical.Pass, t surgical.Target) dynamo.Item {
	return projectKey(p.ProjectID, failureItemsOf(p)+t.String())
}

func (l *Ledger) putFailure(p surgical.Pass, f surgical.PassFailure) (types.TransactWriteItem, error) {
	item, err := attributevalue.MarshalMap(failureRow{
		ProjectID: p.ProjectID, Item: failureItemsOf(p) + f.Target.String(), PassID: p.ID,
		awaitedItem: itemOfAwaited(f.Awaited), Code: string(f.Code), Message: f.Message, ExpiresAt: l.clock().Add(runLifetime).Unix(),
	})
	if err != nil {
		return types.TransactWriteItem{}, fmt.Errorf("encode a failure of pass %s: %w", p.ID, err)
	}
	return types.TransactWriteItem{Put: &types.Put{TableName: &l.tables.Projects, Item: item}}, nil
}

func failureOf(item dynamo.Item) (surgical.PassFailure, error) {
	var row failureRow
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.PassFailure{}, fmt.Errorf("decode a failure of a pass: %w", err)
	}
	awaited, err := row.awaited()
	if err != nil {
		return surgical.PassFailure{}, fmt.Errorf("decode a failure of pass %s: %w", row.PassID, err)
	}
	return surgical.PassFailure{PassID: row.PassID, Awaited: awaited, Code: surgical.Code(row.Code), Message: row.Message}, nil
}
