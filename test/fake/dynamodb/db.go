package dynamodb

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// DB is one account's tables. It is safe for concurrent use: calls are executed
// one after another.
type DB struct {
	mu     sync.Mutex
	tables map[string]*table
	parsed parser
}

// New returns a DB with every table of Lorehook, empty.
func New() (*DB, config.Tables) {
	db := &DB{tables: map[string]*table{}, parsed: newParser()}
	for _, schema := range tables.All() {
		db.tables[schema.Name] = newTable(schema)
	}
	return db, config.Tables{
		Content: tables.Content().Name, SyncRuns: tables.SyncRuns().Name, SyncRunEntities: tables.SyncRunEntities().Name,
		DirtySources: tables.DirtySources().Name, DependentQueue: tables.DependentQueue().Name, State: tables.State().Name, Projects: tables.Projects().Name, Feed: tables.Feed().Name,
	}
}

// Client returns an SDK client whose calls the DB serves. Inputs pass the SDK's
// own validation first; nothing is retried.
func (db *DB) Client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("fakedynamodb", db.handle), middleware.After)
		}},
	})
}

func (db *DB) handle(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	if err := ctx.Err(); err != nil {
		return middleware.InitializeOutput{}, middleware.Metadata{}, &aws.RequestCanceledError{Err: err}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	out, err := db.answer(in.Parameters)
	return middleware.InitializeOutput{Result: out}, middleware.Metadata{}, err
}

func (db *DB) answer(params any) (any, error) {
	switch in := params.(type) {
	case *dynamodb.GetItemInput:
		return db.getItem(in)
	case *dynamodb.BatchGetItemInput:
		return db.batchGetItem(in)
	case *dynamodb.QueryInput:
		return db.query(in)
	case *dynamodb.ScanInput:
		return db.scan(in)
	case *dynamodb.PutItemInput:
		return db.putItem(in)
	case *dynamodb.UpdateItemInput:
		return db.updateItem(in)
	case *dynamodb.DeleteItemInput:
		return db.deleteItem(in)
	case *dynamodb.BatchWriteItemInput:
		return db.batchWriteItem(in)
	case *dynamodb.TransactWriteItemsInput:
		return db.transactWriteItems(in)
	default:
		return nil, fmt.Errorf("fakedynamodb: %T is not supported", params)
	}
}

func (db *DB) table(name *string) (*table, error) {
	t, ok := db.tables[aws.ToString(name)]
	if !ok {
		return nil, &types.ResourceNotFoundException{Message: aws.String("Requested resource not found")}
	}
	return t, nil
}

// Items returns a copy of everything in the named table, in the order of its
// keys. It is for oracles, which must not go through the code under test.
func (db *DB) Items(name string) []dynamo.Item {
	db.mu.Lock()
	defer db.mu.Unlock()
	var all []dynamo.Item
	if t, ok := db.tables[name]; ok {
		for item := range t.after(nil) {
			all = append(all, copyItem(item))
		}
	}
	return all
}

// invalid is the exception that DynamoDB returns for input it does not accept.
func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

// unsupported is the error for anything that the code base does not use.
func unsupported(what string) error { return fmt.Errorf("fakedynamodb: %s is not supported", what) }
