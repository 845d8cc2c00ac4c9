package content

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// errOvertaken means that items expired after the head that names them was
// read: the reader was slower than their expiry. Reading again helps.
var errOvertaken = errors.New("overtaken by a newer revision")

// Change is one prepared commit of an entity: the items to stage, the head to
// put, and the items that the new head no longer names.
type Change struct {
	Ref surgical.EntityRef
	// Base is the head that the snapshot was compared with.
	Base surgical.Head
	// Next is the head that the commit puts in its place.
	Next surgical.Head
	// Revision is the revision of the new head.
	Revision int64
	// Changed reports whether anything other than volatile fields differs.
	Changed bool
	// Fewer counts, by kind, the children that the base has and the snapshot does
	// not, minus those that only the snapshot has.
	Fewer map[surgical.ChildKind]int
	// Scope is what the documents have to be rendered again for.
	Scope surgical.Scope
	// ChildrenWritten counts the children (not segments) to be staged.
	ChildrenWritten int64

	// were are the children that the change replaces or removes, and are those that it
	// adds or puts in their place.
	were entries
	are  map[string]json.RawMessage

	head      dynamo.Item
	condition expression.Expression
	staged    []staging
	// superseded are sort keys. unknown is set if there are others that are not known.
	superseded []string
	unknown    error
}

// staging is an item to be staged. It is made when it is written: a run may have
// as much text as the worker's memory takes once.
type staging struct {
	size int
	item func() dynamo.Item
}

// ready is the staging of an item that exists.
func ready(item dynamo.Item) staging {
	return staging{dynamo.ItemSize(item), func() dynamo.Item { return item }}
}

// Put returns the write of the head, for the transaction of the commit.
func (c *Change) Put(table string) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: aws.String(table), Item: c.head,
		ConditionExpression:       c.condition.Condition(),
		ExpressionAttributeNames:  c.condition.Names(),
		ExpressionAttributeValues: c.condition.Values(),
	}}
}

// put completes the change with the head that it puts.
func (c *Change) put(head *headItem, snap surgical.Snapshot) (err error) {
	c.Next = head.head(snap.Ref)
	if c.head, err = attributevalue.MarshalMap(head); err != nil {
		return fmt.Errorf("encode head: %w", err)
	}
	c.condition, err = expression.NewBuilder().WithCondition(guard(c.Base, snap)).Build()
	return err
}

// WriteUnits returns what the commit costs the content table by AWS's rules:
// the staged items, and the head twice, because it is put in a transaction.
// Expiring what is superseded comes after the commit and is not included.
func (c *Change) WriteUnits() int64 {
	return c.StagedUnits() + int64(2*dynamo.WriteUnits(dynamo.ItemSize(c.head)))
}

// StagedUnits returns what the staged items cost by AWS's rules.
func (c *Change) StagedUnits() int64 {
	units := 0
	for _, s := range c.staged {
		units += dynamo.WriteUnits(s.size)
	}
	return int64(units)
}
