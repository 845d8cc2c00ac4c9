package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/jsii-runtime-go"

	"gitlab.com/lorehook/lorehook/internal/tables"
)

// table is one DynamoDB table with its schema.
type table struct {
	awsdynamodb.Table
	schema tables.Table
	id     string
}

// tableSet is all tables in the order of [tables.All].
type tableSet []table

// newTables makes every table of [tables.All]. They outlive the stack, unless its
// creation failed: then they hold nothing. Their deletion protection is not part of
// the template, because it would make a failed creation impossible to roll back;
// `make deploy` switches it on after each success.
func newTables(st *stack) tableSet {
	var set tableSet
	for _, schema := range tables.All() {
		id := pascal(schema.Name)
		props := &awsdynamodb.TableProps{
			PartitionKey:                     attribute(schema.Hash),
			SortKey:                          optionalAttribute(schema.Sort),
			BillingMode:                      awsdynamodb.BillingMode_PAY_PER_REQUEST,
			PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)},
			TimeToLiveAttribute:              jsii.String(tables.ExpiresAt),
			Encryption:                       awsdynamodb.TableEncryption_AWS_MANAGED,
			RemovalPolicy:                    awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
		}
		if schema.Name == tables.Content().Name {
			props.Stream = awsdynamodb.StreamViewType_KEYS_ONLY
		}
		if units := st.settings.ContentWarmWriteUnits; units > 0 && schema.Name == tables.Content().Name {
			props.WarmThroughput = &awsdynamodb.WarmThroughput{WriteUnitsPerSecond: jsii.Number(units)}
		}
		t := awsdynamodb.NewTable(st.Stack, &id, props)
		for _, index := range schema.Indexes {
			t.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
				IndexName:      &index.Name,
				PartitionKey:   attribute(index.Hash),
				SortKey:        attribute(index.Sort),
				ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,
			})
		}
		set = append(set, table{Table: t, schema: schema, id: id})
	}
	return set
}

// of finds the table of a schema.
func (s tableSet) of(schema tables.Table) table {
	for _, t := range s {
		if t.schema.Name == schema.Name {
			return t
		}
	}
	panic("no table " + schema.Name)
}

// env tells functions the real names.
func (s tableSet) env() map[string]*string {
	env := map[string]*string{}
	for _, t := range s {
		env[t.schema.Env] = t.TableName()
	}
	return env
}

func attribute(k tables.Key) *awsdynamodb.Attribute {
	a := &awsdynamodb.Attribute{Name: jsii.String(k.Name), Type: awsdynamodb.AttributeType_STRING}
	if k.Number {
		a.Type = awsdynamodb.AttributeType_NUMBER
	}
	return a
}

func optionalAttribute(k *tables.Key) *awsdynamodb.Attribute {
	if k == nil {
		return nil
	}
	return attribute(*k)
}

// pascal turns sync_runs into SyncRuns.
func pascal(snake string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
