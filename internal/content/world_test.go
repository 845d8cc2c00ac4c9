package content_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/tables"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// tester is what a world needs of a *testing.T or *rapid.T.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// world is a store on the in-memory DynamoDB, with a clock that stands still
// unless it is moved, and a hook around every call.
type world struct {
	tester
	*content.Store
	// Reader shows everything that is not hidden.
	*content.Reader
	db  *fakedynamodb.DB
	raw *dynamodb.Client // past the hook
	now time.Time
	// runs counts the runs that committed.
	runs int

	mu sync.Mutex
	// around is the hook, if it is set.
	around func(input any, send func() (any, error)) (any, error)
	// calls are the inputs of all calls so far.
	calls []any
}

func newWorld(t tester) *world {
	w := &world{tester: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.db, _ = fakedynamodb.New()
	w.raw = w.db.Client()
	client := w.db.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		w.mu.Lock()
		around := w.around
		w.calls = append(w.calls, input)
		w.mu.Unlock()
		if around != nil {
			return around(input, send)
		}
		return send()
	})
	w.Store = content.NewStore(client, tables.Content().Name, func() time.Time { return w.now })
	w.Reader = w.ForReaders(nil, surgical.Include)
	return w
}

func ctx() context.Context { return context.Background() }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%v", err)
	}
}

func (w *world) same(what string, want, got any) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// beforeFirst runs f once, before the first call of the input's type.
func beforeFirst[Input any](w *world, f func()) {
	var done atomic.Bool
	w.around = func(input any, send func() (any, error)) (any, error) {
		if _, ok := input.(Input); ok && done.CompareAndSwap(false, true) {
			f()
		}
		return send()
	}
}

// callsOf counts the calls with an input of the type.
func callsOf[Input any](w *world) (n int) {
	for _, call := range w.calls {
		if _, ok := call.(Input); ok {
			n++
		}
	}
	return n
}

func issue(iid int64) surgical.EntityRef {
	return surgical.EntityRef{ProjectID: 1, Target: surgical.Target{Type: surgical.Issue, IID: iid}}
}

func attempt(runID string, number int64) surgical.AttemptID {
	return surgical.AttemptID{RunID: runID, Number: number}
}

// gitlab is an entity as GitLab has it: the fields of its JSON, and its
// children's JSON by their keys.
type gitlab struct {
	fields   map[string]any
	children map[string]string
}

func newIssue() gitlab {
	return gitlab{
		fields:   map[string]any{"title": "T", "state": "opened", "description": "Text", "labels": []any{"bug"}, "author": map[string]any{"username": "mira"}},
		children: map[string]string{"discussion#d1": note("d1", "a")},
	}
}

// with returns a copy with one field changed; nil removes it.
func (g gitlab) with(field string, value any) gitlab {
	g.fields = maps.Clone(g.fields)
	if g.fields[field] = value; value == nil {
		delete(g.fields, field)
	}
	return g
}

// and returns a copy with one child changed; "" removes it.
func (g gitlab) and(child, raw string) gitlab {
	g.children = maps.Clone(g.children)
	if g.children[child] = raw; raw == "" {
		delete(g.children, child)
	}
	return g
}

func note(id, body string) string {
	raw, err := json.Marshal(map[string]any{"id": id, "notes": []any{map[string]any{"body": body}}})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// snapshot is a fetch of now, of an entity that changed a minute ago.
func (w *world) snapshot(ref surgical.EntityRef, g gitlab) surgical.Snapshot {
	w.Helper()
	snap := surgical.Snapshot{Ref: ref, UpdatedAt: w.now.Add(-time.Minute), FetchedAt: w.now, FetchedUntil: w.now.Add(time.Second)}
	fields := maps.Clone(g.fields)
	fields["iid"], fields["project_id"] = ref.IID, ref.ProjectID
	fields["updated_at"] = written(snap.UpdatedAt)
	var err error
	snap.Entity, err = json.Marshal(fields)
	w.must(err)
	for _, child := range slices.Sorted(maps.Keys(g.children)) {
		kind, id, _ := strings.Cut(child, "#")
		snap.Children = append(snap.Children, surgical.Child{Kind: surgical.ChildKind(kind), ID: id, Raw: json.RawMessage(g.children[child])})
	}
	snap.Notes, snap.Comments = surgical.ReadNotes(snap.Children)
	return snap
}

// written is a time as GitLab writes it.
func written(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }

// dated is the snapshot with another updated_at.
func (w *world) dated(snap surgical.Snapshot, updatedAt time.Time) surgical.Snapshot {
	snap.Entity = json.RawMessage(strings.Replace(string(snap.Entity), written(snap.UpdatedAt), written(updatedAt), 1))
	snap.UpdatedAt = updatedAt
	return snap
}

// prepare prepares a fetch of now; the guard must accept it.
func (w *world) prepare(ref surgical.EntityRef, g gitlab, by surgical.AttemptID) *content.Change {
	w.Helper()
	change, _, err := w.Prepare(ctx(), w.snapshot(ref, g), by, nil)
	w.must(err)
	if change == nil {
		w.Fatalf("the guard refused a later fetch")
	}
	return change
}

// put makes the change visible, and returns what DynamoDB answered.
func (w *world) put(change *content.Change) error {
	return dynamo.Transact(ctx(), w.raw, []types.TransactWriteItem{change.Put(w.Table())})
}

// commit fetches a minute later and makes what is fetched visible.
func (w *world) commit(ref surgical.EntityRef, g gitlab) (surgical.Head, *content.Change) {
	w.Helper()
	w.runs++
	w.now = w.now.Add(time.Minute)
	change := w.prepare(ref, g, attempt(fmt.Sprintf("r%d", w.runs), 1))
	w.must(w.StageChildren(ctx(), []*content.Change{change}))
	w.must(w.put(change))
	w.must(w.ExpireSuperseded(ctx(), []*content.Change{change}))
	head, err := w.Head(ctx(), ref)
	w.must(err)
	return head, change
}

// shows checks that a reader sees exactly this snapshot.
func (w *world) shows(ref surgical.EntityRef, snap surgical.Snapshot) {
	w.Helper()
	entity, err := w.Read(ctx(), ref)
	w.must(err)
	w.same("what is read of "+ref.String(), asShown(snap.Entity, snap.Children), asShown(entity.Entity, childrenOf(w, entity)))
	if !entity.UpdatedAt.Equal(snap.UpdatedAt) || !entity.FetchedAt.Equal(snap.FetchedAt) || !entity.FetchedUntil.Equal(snap.FetchedUntil) {
		w.Errorf("%s shows the times %v, %v, %v", ref, entity.UpdatedAt, entity.FetchedAt, entity.FetchedUntil)
	}
}

// childrenOf are the entity's children, named by their own ids.
func childrenOf(w *world, entity content.Entity) (children []surgical.Child) {
	w.Helper()
	add := func(kind surgical.ChildKind, list []json.RawMessage) {
		for _, raw := range list {
			var named struct{ ID any }
			w.must(json.Unmarshal(raw, &named))
			children = append(children, surgical.Child{Kind: kind, ID: fmt.Sprint(named.ID), Raw: raw})
		}
	}
	add(surgical.KindDiscussion, entity.Discussions)
	for kind, list := range entity.Events {
		add(kind, list)
	}
	return children
}

// asShown is the content of an entity, to compare.
func asShown(entity json.RawMessage, children []surgical.Child) map[string]any {
	decoded := func(raw json.RawMessage) (value any) {
		if err := json.Unmarshal(raw, &value); err != nil {
			return "undecodable: " + string(raw)
		}
		return value
	}
	shown := map[string]any{"entity": decoded(entity)}
	for _, c := range children {
		shown[c.Key()] = decoded(c.Raw)
	}
	return shown
}

func key(ref surgical.EntityRef, sk string) dynamo.Item {
	return dynamo.Item{"pk": &types.AttributeValueMemberS{Value: "P#" + ref.Key()}, "sk": &types.AttributeValueMemberS{Value: sk}}
}

// item is the stored item with this sort key, or nil.
func (w *world) item(ref surgical.EntityRef, sk string) map[string]any {
	w.Helper()
	out, err := w.raw.GetItem(ctx(), &dynamodb.GetItemInput{TableName: new(w.Table()), Key: key(ref, sk)})
	w.must(err)
	if out.Item == nil {
		return nil
	}
	var item map[string]any
	w.must(attributevalue.UnmarshalMap(out.Item, &item))
	return item
}

// keys are the entity's sort keys with the prefix, by whether they expire.
func (w *world) keys(ref surgical.EntityRef, prefix string) (staying, expiring []string) {
	w.Helper()
	for _, item := range w.db.Items(w.Table()) {
		var row struct {
			PK      string `dynamodbav:"pk"`
			SK      string `dynamodbav:"sk"`
			Expires int64  `dynamodbav:"expires_at"`
		}
		w.must(attributevalue.UnmarshalMap(item, &row))
		switch {
		case row.PK != "P#"+ref.Key() || !strings.HasPrefix(row.SK, prefix):
		case row.Expires == 0:
			staying = append(staying, row.SK)
		default:
			expiring = append(expiring, row.SK)
		}
	}
	return staying, expiring
}

// poke changes attributes of a stored item behind the store's back, as another
// process would; nil removes one.
func (w *world) poke(ref surgical.EntityRef, sk string, attributes map[string]any) {
	w.Helper()
	out, err := w.raw.GetItem(ctx(), &dynamodb.GetItemInput{TableName: new(w.Table()), Key: key(ref, sk)})
	w.must(err)
	if out.Item == nil {
		w.Fatalf("there is no %s", sk)
	}
	for name, value := range attributes {
		if value == nil {
			delete(out.Item, name)
			continue
		}
		out.Item[name], err = attributevalue.Marshal(value)
		w.must(err)
	}
	_, err = w.raw.PutItem(ctx(), &dynamodb.PutItemInput{TableName: new(w.Table()), Item: out.Item})
	w.must(err)
}

// copyItem stores an item once more, under another sort key.
func (w *world) copyItem(ref surgical.EntityRef, from, to string) {
	w.Helper()
	out, err := w.raw.GetItem(ctx(), &dynamodb.GetItemInput{TableName: new(w.Table()), Key: key(ref, from)})
	w.must(err)
	out.Item["sk"] = key(ref, to)["sk"]
	_, err = w.raw.PutItem(ctx(), &dynamodb.PutItemInput{TableName: new(w.Table()), Item: out.Item})
	w.must(err)
}

// remove deletes stored items, as DynamoDB does with expired ones.
func (w *world) remove(ref surgical.EntityRef, sks ...string) {
	w.Helper()
	for _, sk := range sks {
		_, err := w.raw.DeleteItem(ctx(), &dynamodb.DeleteItemInput{TableName: new(w.Table()), Key: key(ref, sk)})
		w.must(err)
	}
}

// expire lets an hour pass, after which DynamoDB has deleted what expires.
func (w *world) expire(ref surgical.EntityRef) {
	w.Helper()
	_, expiring := w.keys(ref, "")
	w.remove(ref, expiring...)
}

// moved reports whether err is [surgical.ErrMoved]; any other error ends the
// test.
func (w *world) moved(err error) bool {
	w.Helper()
	if err != nil && !errors.Is(err, surgical.ErrMoved) {
		w.Fatalf("%v", err)
	}
	return err != nil
}

// noise does not compress: long texts of it need several segments.
func noise(bytes int) string {
	var b strings.Builder
	state := uint64(88172645463325252)
	for b.Len() < bytes {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		fmt.Fprintf(&b, "%c", rune(0x100+state%0x3000))
	}
	return b.String()
}

var _ tester = (*testing.T)(nil)

// sameString reports whether two items have the same string attribute.
func sameString(a, b dynamo.Item, name string) bool {
	x, okX := a[name].(*types.AttributeValueMemberS)
	y, okY := b[name].(*types.AttributeValueMemberS)
	return okX && okY && x.Value == y.Value
}

// withUnits makes a manifest what earlier versions wrote: without outlines, and every
// entry with the write units at its end.
func withUnits(item dynamo.Item) {
	delete(item, "outlines")
	for name, value := range item {
		switch v := value.(type) {
		case *types.AttributeValueMemberM:
			withUnits(v.Value)
		case *types.AttributeValueMemberL:
			for _, ref := range v.Value {
				withUnits(dynamo.Item{name: ref})
			}
			if len(v.Value) == 0 {
				continue
			}
			if _, ok := v.Value[0].(*types.AttributeValueMemberB); ok {
				v.Value[len(v.Value)-1] = &types.AttributeValueMemberN{Value: "3"}
			}
		}
	}
}
