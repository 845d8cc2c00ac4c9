package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/feed"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// AddProject makes sure that the project has a row. It changes nothing else.
func (l *Ledger) AddProject(ctx context.Context, projectID int64) error {
	row, err := l.changeProject(projectID, nil, expression.Set(addedAt(l.clock())))
	if err != nil {
		return fmt.Errorf("add project %d: %w", projectID, err)
	}
	if err := dynamo.Transact(ctx, l.db, []types.TransactWriteItem{{Update: row}, l.listProject(projectID)}); err != nil {
		return fmt.Errorf("add project %d: %w", projectID, err)
	}
	return nil
}

// ForgetProject removes what is known of a project that GitLab has never shown, with its
// reconcile and its census. A project that has a path stays as it is.
func (l *Ledger) ForgetProject(ctx context.Context, projectID int64) error {
	never, err := expression.NewBuilder().WithCondition(expression.AttributeNotExists(expression.Name("path"))).Build()
	if err != nil {
		return fmt.Errorf("forget project %d: %w", projectID, err)
	}
	items := []types.TransactWriteItem{{Delete: &types.Delete{
		TableName: &l.tables.Projects, Key: projectKey(projectID, projectRow), ConditionExpression: never.Condition(), ExpressionAttributeNames: never.Names(),
	}}}
	for _, key := range []dynamo.Item{
		projectKey(directory, listedItem(projectID)), passKey(projectID, surgical.PassReconcile), passKey(projectID, surgical.PassCensus),
	} {
		items = append(items, types.TransactWriteItem{Delete: &types.Delete{TableName: &l.tables.Projects, Key: key}})
	}
	if err := dynamo.Transact(ctx, l.db, items); err != nil && dynamo.Refusals(err) == nil {
		return fmt.Errorf("forget project %d: %w", projectID, err)
	}
	return nil
}

func addedAt(now time.Time) (expression.NameBuilder, expression.OperandBuilder) {
	return expression.Name("added_at"), expression.IfNotExists(expression.Name("added_at"), expression.Value(dynamo.Micros(now)))
}

// listProject adds the project to the directory's list.
func (l *Ledger) listProject(projectID int64) types.TransactWriteItem {
	item := projectKey(directory, listedItem(projectID))
	item["id"] = projectKey(projectID, "")["project_id"]
	return types.TransactWriteItem{Put: &types.Put{TableName: &l.tables.Projects, Item: item}}
}

// NameProject records the path under which GitLab showed the project to a fetch that
// began at the time; a row is added if there is none. The project stays known under
// its earlier paths until GitLab shows another project under one of them. If a later
// fetch showed another path of the project, or another project under the path,
// nothing changes.
func (l *Ledger) NameProject(ctx context.Context, projectID int64, path string, at time.Time) error {
	if _, err := surgical.ParseProjectPath(path); err != nil {
		return err
	}
	earlier := func(name string) expression.ConditionBuilder {
		return expression.AttributeNotExists(expression.Name(name)).Or(expression.Name(name).LessThan(expression.Value(dynamo.Micros(at))))
	}
	olderPath := earlier("path_at")
	row, err := l.changeProject(projectID, &olderPath,
		expression.Set(addedAt(l.clock())).
			Set(expression.Name("path"), expression.Value(path)).
			Set(expression.Name("path_at"), expression.Value(dynamo.Micros(at))))
	if err != nil {
		return fmt.Errorf("name project %d: %w", projectID, err)
	}
	found, err := expression.NewBuilder().
		WithCondition(earlier("seen_at").Or(expression.Name("id").Equal(expression.Value(projectID)))).
		WithUpdate(expression.Set(expression.Name("id"), expression.Value(projectID)).Set(expression.Name("seen_at"), expression.Value(dynamo.Micros(at)))).
		Build()
	if err != nil {
		return fmt.Errorf("name project %d: %w", projectID, err)
	}
	err = dynamo.Transact(ctx, l.db, []types.TransactWriteItem{
		{Update: row},
		{Update: &types.Update{
			TableName: &l.tables.Projects, Key: projectKey(directory, pathItem(path)),
			ConditionExpression: found.Condition(), UpdateExpression: found.Update(),
			ExpressionAttributeNames: found.Names(), ExpressionAttributeValues: found.Values(),
		}},
		l.listProject(projectID),
	})
	if err != nil && dynamo.Refusals(err) == nil {
		return fmt.Errorf("name project %d: %w", projectID, err)
	}
	return nil
}

// HideProject hides every copy of the project whose fetch did not begin after the
// time, by one write. It is never undone: an earlier time changes nothing.
func (l *Ledger) HideProject(ctx context.Context, projectID int64, at time.Time) error {
	if err := l.AddProject(ctx, projectID); err != nil {
		return err
	}
	return l.raiseHiddenAt(ctx, projectID, at)
}

// HideAllProjects is [Ledger.HideProject] for every project, including those without
// a row.
func (l *Ledger) HideAllProjects(ctx context.Context, at time.Time) error {
	return l.raiseHiddenAt(ctx, directory, at)
}

// raiseHiddenAt also restarts the change feeds: no item of the content table changes, so
// nothing else tells their readers.
func (l *Ledger) raiseHiddenAt(ctx context.Context, projectID int64, at time.Time) error {
	hidden := expression.Name("hidden_at")
	lower := expression.AttributeNotExists(hidden).Or(hidden.LessThan(expression.Value(dynamo.Micros(at))))
	raise, err := l.changeProject(projectID, &lower, expression.Set(hidden, expression.Value(dynamo.Micros(at))))
	if err != nil {
		return fmt.Errorf("hide project %d: %w", projectID, err)
	}
	err = dynamo.Transact(ctx, l.db, append([]types.TransactWriteItem{{Update: raise}}, feed.Restarts(l.tables.Feed)...))
	if err != nil && dynamo.Refusals(err) == nil {
		return fmt.Errorf("hide project %d: %w", projectID, err)
	}
	return nil
}

// UnseenProject records that GitLab did not show the project, unless that is recorded
// since an earlier time.
//
// Every run that finds out records it, at the same time as others. So it is one write,
// and a transaction only if the project has no row yet.
func (l *Ledger) UnseenProject(ctx context.Context, projectID int64, at time.Time) error {
	since := expression.Name("unseen_since")
	update := expression.Set(since, since.IfNotExists(expression.Value(dynamo.Micros(at))))
	known, err := l.updateKnown(ctx, projectID, update)
	if known || err != nil {
		return err
	}
	if err := l.AddProject(ctx, projectID); err != nil {
		return err
	}
	_, err = l.updateKnown(ctx, projectID, update)
	return err
}

// SeenProject records that GitLab shows the project again. seen is the row as it was
// read: what was recorded since then stays.
func (l *Ledger) SeenProject(ctx context.Context, seen surgical.Project) error {
	since := expression.Name("unseen_since")
	_, err := l.updateProject(ctx, seen.ID, since.Equal(expression.Value(dynamo.Micros(seen.UnseenSince))), expression.Remove(since))
	return err
}

// CompleteProject records that every change in GitLab before asOf is in the copy.
// since is when the pass began that listed everything, on which that rests, and except
// are the entities to which it does not apply.
func (l *Ledger) CompleteProject(ctx context.Context, projectID int64, asOf, since time.Time, except ...surgical.Target) error {
	update := expression.Set(expression.Name("complete_as_of"), expression.Value(dynamo.Micros(asOf))).
		Set(expression.Name("complete_since"), expression.Value(dynamo.Micros(since)))
	var names []string
	for _, t := range except {
		names = append(names, t.String())
	}
	if names != nil {
		update = update.Set(expression.Name("complete_except"), expression.Value(names))
	} else {
		update = update.Remove(expression.Name("complete_except"))
	}
	_, err := l.updateKnown(ctx, projectID, update)
	return err
}

// UnreadableProject records that records of the project's lists could not be read.
func (l *Ledger) UnreadableProject(ctx context.Context, projectID int64, u surgical.Unreadable) error {
	return l.setOfProject(ctx, projectID, "unreadable", unreadableItem{u.Records, dynamo.Micros(u.At)})
}

// ReadableProject records that every record of the project's lists could be read, in lists
// that began at the time: what could not be read is forgotten, unless it was listed later.
func (l *Ledger) ReadableProject(ctx context.Context, projectID int64, at time.Time) error {
	_, err := l.updateProject(ctx, projectID, expression.Name("unreadable.at").LessThan(expression.Value(dynamo.Micros(at))),
		expression.Remove(expression.Name("unreadable")))
	return err
}

// CountProject records how many entities GitLab's lists had.
func (l *Ledger) CountProject(ctx context.Context, projectID int64, c surgical.ProjectCounts) error {
	return l.setOfProject(ctx, projectID, "counts", countsItem{c.Issues, c.MergeRequests, dynamo.Micros(c.At)})
}

// CheckHook records the result of a check of the project's webhook.
func (l *Ledger) CheckHook(ctx context.Context, projectID int64, c surgical.HookCheck) error {
	return l.setOfProject(ctx, projectID, "hook", hookItem{
		State: string(c.State), ID: c.ID, Reason: c.Reason, CheckedAt: dynamo.Micros(c.CheckedAt), Findings: c.Findings, Group: c.Group, Signed: c.Signed,
		Delivery: c.LastDelivery, ReadAt: dynamo.Micros(c.ReadAt), NoLog: c.NoLog, Unread: c.Unread, UnreadTo: c.UnreadTo,
	})
}

// ReconcileProject records a reconcile that ended.
func (l *Ledger) ReconcileProject(ctx context.Context, projectID int64, r surgical.Reconciled) error {
	return l.setOfProject(ctx, projectID, "last_reconcile",
		reconciledItem{r.Cycle, dynamo.Micros(r.BeganAt), dynamo.Micros(r.EndedAt), r.Listed, r.Different, r.Missed, r.Requests})
}

// CensusProject records a census that ended.
func (l *Ledger) CensusProject(ctx context.Context, projectID int64, c surgical.Censused) error {
	return l.setOfProject(ctx, projectID, "last_census", censusedItem{
		c.Cycle, dynamo.Micros(c.BeganAt), dynamo.Micros(c.EndedAt), c.Listed, c.Fetched, c.Failed, c.Requests, itemOfFound(c.Found),
	})
}

// setOfProject sets one attribute of a row; without a row, nothing changes.
func (l *Ledger) setOfProject(ctx context.Context, projectID int64, name string, value any) error {
	_, err := l.updateKnown(ctx, projectID, expression.Set(expression.Name(name), expression.Value(value)))
	return err
}

// updateKnown changes a row, and reports whether there is one; without a row, nothing
// changes.
func (l *Ledger) updateKnown(ctx context.Context, projectID int64, update expression.UpdateBuilder) (known bool, err error) {
	return l.updateProject(ctx, projectID, expression.AttributeExists(expression.Name("project_id")), update)
}

// updateProject changes a row if the condition holds, and reports whether it did;
// otherwise nothing changes. All changes can be repeated, so a lost response does no harm.
func (l *Ledger) updateProject(ctx context.Context, projectID int64, condition expression.ConditionBuilder, update expression.UpdateBuilder) (held bool, err error) {
	change, err := l.changeProject(projectID, &condition, update)
	if err == nil {
		_, err = l.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: change.TableName, Key: change.Key,
			ConditionExpression: change.ConditionExpression, UpdateExpression: change.UpdateExpression,
			ExpressionAttributeNames: change.ExpressionAttributeNames, ExpressionAttributeValues: change.ExpressionAttributeValues,
		})
	}
	if err != nil && !dynamo.IsConditionFailed(err) {
		return false, fmt.Errorf("update project %d: %w", projectID, err)
	}
	return err == nil, nil
}

// changeProject builds the change of a row.
func (l *Ledger) changeProject(projectID int64, condition *expression.ConditionBuilder, update expression.UpdateBuilder) (*types.Update, error) {
	builder := expression.NewBuilder().WithUpdate(update)
	if condition != nil {
		builder = builder.WithCondition(*condition)
	}
	expr, err := builder.Build()
	if err != nil {
		return nil, err
	}
	return &types.Update{
		TableName: &l.tables.Projects, Key: projectKey(projectID, projectRow),
		ConditionExpression: expr.Condition(), UpdateExpression: expr.Update(),
		ExpressionAttributeNames: expr.Names(), ExpressionAttributeValues: expr.Values(),
	}, nil
}
