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

// Region and AccountID are those of everything on the local AWS.
const (
	Region    = "us-east-1"
	AccountID = "000000000000"
)

// The local AWS accepts any pair; when it enforces IAM, these are the root
// user's.
const (
	accessKey = "test"
	secretKey = "test"
)

// Config returns the configuration of SDK clients for a local engine.
func Config(endpoint string) aws.Config {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		// Enough keep-alive connections for tests that write from many
		// goroutines.
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

// wholeBodies prevents needless retries. The SDK closes a request's body as
// soon as the response begins, and a local engine responds before the transport
// has seen the end of the body. The transport then drops the connection, and
// the SDK resends a write that was applied.
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
		// DynamoDB Local sends no checksum, and the SDK would warn about every
		// response.
		o.DisableValidateResponseChecksum = true
	})
}

// CreateTables creates every table under its logical name with the prefix. They
// have no TTL, because a test's clock is not the engine's.
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
		Projects:        names[tables.Projects().Name],
		Feed:            names[tables.Feed().Name],
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
