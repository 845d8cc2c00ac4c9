package content

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Store reads and writes the content table.
type Store struct {
	db    *dynamodb.Client
	table string
	clock func() time.Time
	// model is the one that embeds what is committed; "" if there is none.
	model string
}

// NewStore returns a store on the table.
func NewStore(db *dynamodb.Client, table string, clock func() time.Time) *Store {
	return &Store{db: db, table: table, clock: clock}
}

// EmbeddedBy returns the store for commits whose documents the model embeds; "" is none.
// The first commit of an entity after its embeddings were of another model leaves all of
// its documents to the docs stage, even if nothing changed.
func (s *Store) EmbeddedBy(model string) *Store {
	with := *s
	with.model = model
	return &with
}

// Table returns the name of the deployed content table.
func (s *Store) Table() string { return s.table }

// headItem is the item of a head. Times are Unix microseconds.
type headItem struct {
	PK        string `dynamodbav:"pk"`
	SK        string `dynamodbav:"sk"`
	ProjectID int64  `dynamodbav:"project_id"`
	Entity    string `dynamodbav:"entity"`

	Revision             int64  `dynamodbav:"revision"`
	UpdatedAt            int64  `dynamodbav:"updated_at"`
	FetchedAt            int64  `dynamodbav:"fetched_at"`
	FetchedUntil         int64  `dynamodbav:"fetched_until"`
	RunID                string `dynamodbav:"run_id"`
	DocumentsVisibleFrom int64  `dynamodbav:"documents_visible_from,omitempty"`
	// DocumentFormat is [surgical.DocumentFormat] at the commit. It is absent from
	// heads of format 1.
	DocumentFormat int64 `dynamodbav:"document_format,omitempty"`
	// EmbeddingModel is the model that embeds the documents as of the commit. It is
	// absent if it is not known, or if there was none when something changed.
	EmbeddingModel   string `dynamodbav:"embedding_model,omitempty"`
	ChangedRevision  int64  `dynamodbav:"changed_revision,omitempty"`
	MaxNoteID        int64  `dynamodbav:"max_note_id,omitempty"`
	MaxNoteUpdatedAt int64  `dynamodbav:"max_note_updated_at,omitempty"`
	UserNotesCount   int64  `dynamodbav:"user_notes_count,omitempty"`
	UnseenComments   int64  `dynamodbav:"unseen_comments,omitempty"`
	HiddenSince      int64  `dynamodbav:"hidden_since,omitempty"`
	Gone             bool   `dynamodbav:"gone,omitempty"`
	Erased           int64  `dynamodbav:"erased,omitempty"`
	// List and Listed are the keys of the index by state and time; absent from heads
	// without a copy and from those of earlier versions.
	List   string `dynamodbav:"list,omitempty"`
	Listed string `dynamodbav:"listed,omitempty"`

	Attributes attributesItem `dynamodbav:"attributes"`
	Children   packedEntries  `dynamodbav:"children,omitempty"`
	Parts      packedParts    `dynamodbav:"parts,omitempty"`
}

// attributesItem holds what lists and documents show without reading the
// entity's JSON.
type attributesItem struct {
	Title        string   `dynamodbav:"title"`
	State        string   `dynamodbav:"state"`
	WebURL       string   `dynamodbav:"web_url,omitempty"`
	Confidential bool     `dynamodbav:"confidential,omitempty"`
	Labels       []string `dynamodbav:"labels,omitempty"`
	Author       string   `dynamodbav:"author,omitempty"`
	MovedTo      int64    `dynamodbav:"moved_to,omitempty"`
	// The rest is absent from heads of earlier versions.
	Assignees []string `dynamodbav:"assignees,omitempty"`
	Milestone string   `dynamodbav:"milestone,omitempty"`
	CreatedAt string   `dynamodbav:"created_at,omitempty"`
}

func itemOfAttributes(a surgical.Attributes) attributesItem {
	item := attributesItem{
		Title: a.Title, State: a.State, WebURL: a.WebURL, Confidential: a.Confidential, Labels: a.Labels, MovedTo: a.MovedTo,
		Milestone: a.Milestone, CreatedAt: a.CreatedAt,
	}
	for _, user := range a.Assignees {
		item.Assignees = append(item.Assignees, user.Username)
	}
	if a.Author != nil {
		item.Author = a.Author.Username
	}
	return item
}

func (a attributesItem) attributes() surgical.Attributes {
	out := surgical.Attributes{
		Title: a.Title, State: a.State, WebURL: a.WebURL, Confidential: a.Confidential, Labels: a.Labels, MovedTo: a.MovedTo,
		Milestone: a.Milestone, CreatedAt: a.CreatedAt,
	}
	for _, username := range a.Assignees {
		out.Assignees = append(out.Assignees, surgical.User{Username: username})
	}
	if a.Author != "" {
		out.Author = &surgical.User{Username: a.Author}
	}
	return out
}

func (h headItem) head(ref surgical.EntityRef) surgical.Head {
	return surgical.Head{
		Ref:                  ref,
		Revision:             h.Revision,
		UpdatedAt:            time.UnixMicro(h.UpdatedAt).UTC(),
		FetchedAt:            dynamo.FromMicros(h.FetchedAt),
		FetchedUntil:         dynamo.FromMicros(h.FetchedUntil),
		RunID:                h.RunID,
		DocumentsVisibleFrom: h.DocumentsVisibleFrom,
		ChangedRevision:      cmp.Or(h.ChangedRevision, h.Revision),
		Notes:                surgical.Notes{MaxID: h.MaxNoteID, MaxUpdatedAt: dynamo.FromMicros(h.MaxNoteUpdatedAt)},
		UserNotesCount:       h.UserNotesCount,
		UnseenComments:       h.UnseenComments,
		HiddenSince:          dynamo.FromMicros(h.HiddenSince),
		Gone:                 h.Gone,
		ErasedAt:             dynamo.FromMicros(h.Erased),
		Listed:               h.List != "",
		Attributes:           h.Attributes.attributes(),
	}
}

// Head reads the entity's head with strong consistency. If there is none, the
// result has revision 0.
func (s *Store) Head(ctx context.Context, ref surgical.EntityRef) (surgical.Head, error) {
	item, err := s.headItem(ctx, ref)
	if err != nil || item == nil {
		return surgical.Head{Ref: ref}, err
	}
	return item.head(ref), nil
}

// headItem returns nil if the entity has no head.
func (s *Store) headItem(ctx context.Context, ref surgical.EntityRef) (*headItem, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: key(ref, headKey), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("read head of %s: %w", ref, err)
	}
	if out.Item == nil {
		return nil, nil
	}
	var item headItem
	if err := attributevalue.UnmarshalMap(out.Item, &item); err != nil {
		return nil, fmt.Errorf("decode head of %s: %w", ref, err)
	}
	return &item, nil
}

// partItem is the item of one part of a manifest.
type partItem struct {
	PK       string        `dynamodbav:"pk"`
	SK       string        `dynamodbav:"sk"`
	Children packedEntries `dynamodbav:"children"`
}

// manifest is what a head names, or as much of it as was read.
type manifest struct {
	// parts is empty if the head names its children directly.
	parts []partRef
	// read holds the entries of the parts that were read, by the number of the
	// part; the entries of a head without parts are under 0.
	read map[int]entries
}

// manifest reads the manifest of the head, and only those of its parts that want
// selects.
func (s *Store) manifest(ctx context.Context, ref surgical.EntityRef, head *headItem, want func(part int) bool) (manifest, error) {
	m := manifest{read: map[int]entries{}}
	if head == nil {
		m.read[0] = entries{}
		return m, nil
	}
	var err error
	if m.parts, err = head.Parts.unpack(); err != nil {
		return m, fmt.Errorf("manifest of %s: %w", ref, err)
	}
	if len(m.parts) == 0 {
		m.read[0], err = head.Children.unpack()
		return m, err
	}
	numbers := map[string]int{}
	var keys []dynamo.Item
	for i, part := range m.parts {
		if want(i) {
			sk := partKey(i, part.Attempt)
			numbers[sk] = i
			keys = append(keys, key(ref, sk))
		}
	}
	items, err := dynamo.GetAll(ctx, s.db, s.table, keys)
	if err != nil {
		return m, fmt.Errorf("manifest of %s: %w", ref, err)
	}
	for _, item := range items {
		var part partItem
		if err := attributevalue.UnmarshalMap(item, &part); err != nil {
			return m, fmt.Errorf("decode a part of %s: %w", ref, err)
		}
		if m.read[numbers[part.SK]], err = part.Children.unpack(); err != nil {
			return m, fmt.Errorf("manifest of %s: %w", ref, err)
		}
	}
	if len(items) != len(keys) {
		return m, fmt.Errorf("manifest of %s: %d of %d parts are missing: %w", ref, len(keys)-len(items), len(keys), errOvertaken)
	}
	return m, nil
}

// all returns the entries of all parts that were read.
func (m manifest) all() entries {
	all := entries{}
	for _, part := range m.read {
		for child, entry := range part {
			all[child] = entry
		}
	}
	return all
}

// keys returns the sort keys of all parts, and of everything that the parts that
// were read name; lists are those of its children in pieces ([Store.pieceLists]).
func (m manifest) keys(lists pieceLists) []string {
	var keys []string
	for i, part := range m.parts {
		keys = append(keys, partKey(i, part.Attempt))
	}
	for child, entry := range m.all() {
		keys = append(keys, entry.allKeys(child, lists[child])...)
	}
	return keys
}

func everyPart(int) bool { return true }
