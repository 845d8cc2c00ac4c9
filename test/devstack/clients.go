package devstack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/tables"
)

// Region and AccountID are where everything stands on the local AWS.
const (
	Region    = "us-east-1"
	AccountID = "000000000000"
)

// The local AWS takes any pair; these are the root user's when it enforces IAM.
const (
	accessKey = "test"
	secretKey = "test"
)

// Config returns the configuration of SDK clients for a local engine.
func Config(endpoint string) aws.Config {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		// Keep-alive connections for tests that write with many goroutines.
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 256
		t.Proxy = nil
	})
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		HTTPClient:   wholeBodies{client},
	}
}

// wholeBodies spares requests needless repetitions: the SDK closes a request's
// body as soon as the answer begins, and an engine on this machine answers
// before the transport has seen the body's end. The transport then drops the
// connection, and the SDK sends a write again that was applied.
type wholeBodies struct{ aws.HTTPClient }

// Do implements aws.HTTPClient.
func (w wholeBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return w.HTTPClient.Do(r)
}

// DynamoDB returns a client for a local engine.
func DynamoDB(endpoint string) *dynamodb.Client {
	return dynamodb.NewFromConfig(Config(endpoint), func(o *dynamodb.Options) {
		// DynamoDB Local sends no checksum, and the SDK would warn at every call.
		o.DisableValidateResponseChecksum = true
	})
}

// CreateTables creates every table, its real name the prefix and its logical
// name. They have no TTL: a test's clock is not the engine's.
func CreateTables(ctx context.Context, client *dynamodb.Client, prefix string) (config.Tables, error) {
	group, ctx := errgroup.WithContext(ctx)
	names := make(map[string]string)
	for _, t := range tables.All() {
		name := prefix + t.Name
		names[t.Name] = name
		group.Go(func() error { return createTable(ctx, client, name, t) })
	}
	if err := group.Wait(); err != nil {
		return config.Tables{}, err
	}
	return config.Tables{
		Content:         names[tables.Content().Name],
		SyncRuns:        names[tables.SyncRuns().Name],
		SyncRunEntities: names[tables.SyncRunEntities().Name],
		DirtySources:    names[tables.DirtySources().Name],
		DependentQueue:  names[tables.DependentQueue().Name],
		State:           names[tables.State().Name],
	}, nil
}

func createTable(ctx context.Context, client *dynamodb.Client, name string, t tables.Table) error {
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
	defined := make(map[string]bool)
	key := func(k tables.Key, typ types.KeyType) types.KeySchemaElement {
		if !defined[k.Name] {
			defined[k.Name] = true
			attr := types.AttributeDefinition{AttributeName: aws.String(k.Name), AttributeType: types.ScalarAttributeTypeS}
			if k.Number {
				attr.AttributeType = types.ScalarAttributeTypeN
			}
			in.AttributeDefinitions = append(in.AttributeDefinitions, attr)
		}
		return types.KeySchemaElement{AttributeName: aws.String(k.Name), KeyType: typ}
	}
	in.KeySchema = append(in.KeySchema, key(t.Hash, types.KeyTypeHash))
	if t.Sort != nil {
		in.KeySchema = append(in.KeySchema, key(*t.Sort, types.KeyTypeRange))
	}
	for _, i := range t.Indexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName:  aws.String(i.Name),
			KeySchema:  []types.KeySchemaElement{key(i.Hash, types.KeyTypeHash), key(i.Sort, types.KeyTypeRange)},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		})
	}
	out, err := client.CreateTable(ctx, in)
	if err != nil {
		return fmt.Errorf("create table %s: %w", name, err)
	}
	if s := out.TableDescription.TableStatus; s != types.TableStatusActive {
		return fmt.Errorf("create table %s: the engine left it %s", name, s)
	}
	return nil
}
