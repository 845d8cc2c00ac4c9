package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/tables"
)

func TestTablesAreThoseOfTheSchema(t *testing.T) {
	want := map[string]map[string]any{}
	for _, schema := range tables.All() {
		want[pascal(schema.Name)] = wantTable(schema)
	}
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		got := s.ofType("AWS::DynamoDB::Table")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tables (-want +got):\n%s", diff)
		}
	})
}

// wantTable is a table's properties: its keys and indexes, on demand, recoverable
// to a point in time, encrypted, expiring. Protection from deletion is not among
// them: it would make a failed creation impossible to roll back.
func wantTable(schema tables.Table) map[string]any {
	var attributes []any
	seen := map[string]bool{}
	define := func(k tables.Key) {
		if seen[k.Name] {
			return
		}
		seen[k.Name] = true
		kind := "S"
		if k.Number {
			kind = "N"
		}
		attributes = append(attributes, map[string]any{"AttributeName": k.Name, "AttributeType": kind})
	}
	keys := func(hash tables.Key, sort *tables.Key) []any {
		define(hash)
		list := []any{map[string]any{"AttributeName": hash.Name, "KeyType": "HASH"}}
		if sort != nil {
			define(*sort)
			list = append(list, map[string]any{"AttributeName": sort.Name, "KeyType": "RANGE"})
		}
		return list
	}
	table := map[string]any{
		"KeySchema": keys(schema.Hash, schema.Sort), "BillingMode": "PAY_PER_REQUEST",
		"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
		"SSESpecification":                 map[string]any{"SSEEnabled": true},
		"TimeToLiveSpecification":          map[string]any{"AttributeName": tables.ExpiresAt, "Enabled": true},
	}
	if schema.Name == tables.Content().Name {
		table["StreamSpecification"] = map[string]any{"StreamViewType": "KEYS_ONLY"}
	}
	var indexes []any
	for _, index := range schema.Indexes {
		indexes = append(indexes, map[string]any{
			"IndexName": index.Name, "KeySchema": keys(index.Hash, &index.Sort), "Projection": map[string]any{"ProjectionType": "KEYS_ONLY"},
		})
	}
	if indexes != nil {
		table["GlobalSecondaryIndexes"] = indexes
	}
	table["AttributeDefinitions"] = attributes
	return table
}

// What a failed creation left behind would hold nothing.
func TestTablesAndIndexOutliveTheStackUnlessItsCreationFails(t *testing.T) {
	everyVariant(t, func(t *testing.T, s stackTemplate) {
		for id, r := range s.Resources {
			if (r.Type == "AWS::DynamoDB::Table" || r.Type == "AWS::S3::Bucket") && (r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain") {
				t.Errorf("%s: deletion %s, replacement %s; want RetainExceptOnCreate and Retain", id, r.DeletionPolicy, r.UpdateReplacePolicy)
			}
		}
	})
}
