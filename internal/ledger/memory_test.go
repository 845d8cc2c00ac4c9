package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakedynamodb "gitlab.com/lorehook/lorehook/test/fake/dynamodb"
)

// memory is a ledger on the in-memory DynamoDB with a hook around every call.
type memory struct {
	*book
	db     *fakedynamodb.DB
	tables config.Tables

	mu     sync.Mutex
	calls  []any
	around func(input any, send func() (any, error)) (any, error)
}

func inMemory(t *testing.T) *memory {
	m := &memory{book: &book{T: t, now: time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)}}
	m.db, m.tables = fakedynamodb.New()
	client := m.db.Around(func(_ context.Context, input any, send func() (any, error)) (any, error) {
		m.mu.Lock()
		m.calls = append(m.calls, input)
		around := m.around
		m.mu.Unlock()
		if around != nil {
			return around(input, send)
		}
		return send()
	})
	m.Ledger = ledger.New(client, m.tables, func() time.Time { return m.now })
	return m
}

// failing fails every call of the input's type, after it was applied if landed
// says so.
func failing[Input any](m *memory, landed bool, err error) {
	m.around = func(input any, send func() (any, error)) (any, error) {
		if _, ok := input.(Input); !ok {
			return send()
		}
		if landed {
			if _, err := send(); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
}

// run reads a run past the hook.
func (m *memory) run(id string) surgical.Run {
	m.Helper()
	around := m.around
	m.around = nil
	defer func() { m.around = around }()
	run, err := m.Ledger.Run(m.Context(), id)
	m.must(err)
	return run
}

// leave inserts dirty sources.
func (m *memory) leave(sources ...surgical.DirtySource) {
	m.Helper()
	for _, source := range sources {
		item, err := m.InsertDirty(source)
		m.must(err)
		m.must(dynamo.Transact(m.Context(), m.db.Client(), []types.TransactWriteItem{item}))
	}
}

// dirty describes the entity's dirty sources.
func (m *memory) dirty(ref surgical.EntityRef) (list []string) {
	m.Helper()
	sources, err := m.DirtySources(m.Context(), ref)
	m.must(err)
	for _, s := range sources {
		list = append(list, fmt.Sprintf("%s of %s, revision %d, %+v", s.ID, s.RunID, s.Revision, s.Scope))
	}
	return list
}

func remove(m *memory, table string, key dynamo.Item) {
	m.Helper()
	_, err := m.db.Client().DeleteItem(m.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: key})
	m.must(err)
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func (m *memory) finish(job surgical.Job, done ledger.Done) error {
	_, _, err := m.FinishJob(m.Context(), surgical.Run{}, job, done)
	return err
}
