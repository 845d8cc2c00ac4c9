package ledger

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The items of the projects table. The partition of project 0, which GitLab does
// not have, is the directory: it lists the projects, and finds them by path.
const (
	// projectRow is the project's row. That of project 0 has only hidden_at, which
	// counts for every project.
	projectRow = "project"
	// directory is the partition of the two kinds of items below.
	directory int64 = 0
	// listedPrefix and the project's id in 19 digits are an entry of the list.
	listedPrefix = "id#"
	// pathPrefix and a path in lower case find the project that has, or had, it.
	pathPrefix = "path#"
)

func projectKey(projectID int64, item string) dynamo.Item {
	return dynamo.Item{
		"project_id": &types.AttributeValueMemberN{Value: strconv.FormatInt(projectID, 10)},
		"item":       &types.AttributeValueMemberS{Value: item},
	}
}

func listedItem(projectID int64) string { return fmt.Sprintf("%s%019d", listedPrefix, projectID) }

func pathItem(path string) string { return pathPrefix + surgical.ProjectPathKey(path) }

// projectItem is a project's row. Times are Unix microseconds; absent attributes
// are zero.
type projectItem struct {
	ProjectID     int64          `dynamodbav:"project_id"`
	Path          string         `dynamodbav:"path,omitempty"`
	PathAt        int64          `dynamodbav:"path_at,omitempty"`
	HiddenAt      int64          `dynamodbav:"hidden_at,omitempty"`
	UnseenSince   int64          `dynamodbav:"unseen_since,omitempty"`
	CompleteAsOf  int64          `dynamodbav:"complete_as_of,omitempty"`
	CompleteSince int64          `dynamodbav:"complete_since,omitempty"`
	Except        []string       `dynamodbav:"complete_except,omitempty"`
	Unreadable    unreadableItem `dynamodbav:"unreadable"`
	Counts        countsItem     `dynamodbav:"counts"`
	Hook          hookItem       `dynamodbav:"hook"`
	LastReconcile reconciledItem `dynamodbav:"last_reconcile"`
	LastCensus    censusedItem   `dynamodbav:"last_census"`
}

type unreadableItem struct {
	Records int64 `dynamodbav:"records"`
	At      int64 `dynamodbav:"at"`
}

type countsItem struct {
	Issues        int64 `dynamodbav:"issues"`
	MergeRequests int64 `dynamodbav:"merge_requests"`
	At            int64 `dynamodbav:"at"`
}

type hookItem struct {
	State     string `dynamodbav:"state"`
	ID        int64  `dynamodbav:"id,omitempty"`
	Reason    string `dynamodbav:"reason,omitempty"`
	CheckedAt int64  `dynamodbav:"checked_at"`
	Findings  int64  `dynamodbav:"findings,omitempty"`
	Group     string `dynamodbav:"group,omitempty"`
	Signed    bool   `dynamodbav:"signed,omitempty"`
	// Delivery is the newest delivery of the hook's log that was read, and ReadAt when.
	Delivery int64  `dynamodbav:"delivery,omitempty"`
	ReadAt   int64  `dynamodbav:"read_at,omitempty"`
	NoLog    string `dynamodbav:"no_log,omitempty"`
	// Unread is the cursor of what is still to be read of the log, down to UnreadTo.
	Unread   string `dynamodbav:"unread,omitempty"`
	UnreadTo int64  `dynamodbav:"unread_to,omitempty"`
}

type reconciledItem struct {
	Cycle     string `dynamodbav:"cycle"`
	BeganAt   int64  `dynamodbav:"began_at"`
	EndedAt   int64  `dynamodbav:"ended_at"`
	Listed    int64  `dynamodbav:"listed"`
	Different int64  `dynamodbav:"different"`
	Missed    int64  `dynamodbav:"missed"`
	Requests  int64  `dynamodbav:"requests"`
}

type censusedItem struct {
	Cycle    string           `dynamodbav:"cycle"`
	BeganAt  int64            `dynamodbav:"began_at"`
	EndedAt  int64            `dynamodbav:"ended_at"`
	Listed   int64            `dynamodbav:"listed"`
	Fetched  int64            `dynamodbav:"fetched"`
	Failed   int64            `dynamodbav:"failed"`
	Requests int64            `dynamodbav:"requests"`
	Found    map[string]int64 `dynamodbav:"found,omitempty"`
}

// decodeProject decodes a project's row; a nil item is a project without a row.
func decodeProject(projectID int64, item dynamo.Item) (surgical.Project, error) {
	if item == nil {
		return surgical.Project{ID: projectID}, nil
	}
	var row projectItem
	if err := attributevalue.UnmarshalMap(item, &row); err != nil {
		return surgical.Project{}, fmt.Errorf("decode project %d: %w", projectID, err)
	}
	var except []surgical.Target
	for _, name := range row.Except {
		target, err := surgical.ParseTarget(name)
		if err != nil {
			return surgical.Project{}, fmt.Errorf("decode project %d: %w", projectID, err)
		}
		except = append(except, target)
	}
	return surgical.Project{
		ID: projectID, Known: true, CompleteExcept: except, Path: row.Path, PathAt: dynamo.FromMicros(row.PathAt),
		HiddenAt: dynamo.FromMicros(row.HiddenAt), UnseenSince: dynamo.FromMicros(row.UnseenSince),
		CompleteAsOf: dynamo.FromMicros(row.CompleteAsOf), CompleteSince: dynamo.FromMicros(row.CompleteSince),
		Unreadable: surgical.Unreadable{Records: row.Unreadable.Records, At: dynamo.FromMicros(row.Unreadable.At)},
		Counts:     surgical.ProjectCounts{Issues: row.Counts.Issues, MergeRequests: row.Counts.MergeRequests, At: dynamo.FromMicros(row.Counts.At)},
		Hook: surgical.HookCheck{
			State: surgical.HookState(row.Hook.State), ID: row.Hook.ID, Reason: row.Hook.Reason,
			CheckedAt: dynamo.FromMicros(row.Hook.CheckedAt), Findings: row.Hook.Findings, Group: row.Hook.Group, Signed: row.Hook.Signed,
			LastDelivery: row.Hook.Delivery, ReadAt: dynamo.FromMicros(row.Hook.ReadAt), NoLog: row.Hook.NoLog,
			Unread: row.Hook.Unread, UnreadTo: row.Hook.UnreadTo,
		},
		LastReconcile: surgical.Reconciled{
			Cycle: row.LastReconcile.Cycle, BeganAt: dynamo.FromMicros(row.LastReconcile.BeganAt), EndedAt: dynamo.FromMicros(row.LastReconcile.EndedAt),
			Listed: row.LastReconcile.Listed, Different: row.LastReconcile.Different, Missed: row.LastReconcile.Missed, Requests: row.LastReconcile.Requests,
		},
		LastCensus: surgical.Censused{
			Cycle: row.LastCensus.Cycle, BeganAt: dynamo.FromMicros(row.LastCensus.BeganAt), EndedAt: dynamo.FromMicros(row.LastCensus.EndedAt),
			Listed: row.LastCensus.Listed, Fetched: row.LastCensus.Fetched, Failed: row.LastCensus.Failed, Requests: row.LastCensus.Requests,
			Found: foundOf(row.LastCensus.Found),
		},
	}, nil
}
