package crawl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// watch looks after the hooks of one invocation.
type watch struct {
	*Crawler
	report *Report
	now    time.Time
	// groups are the hooks of groups that were read, nil for one that the token may not
	// read; seen are the hooks whose log was looked at, with how far it was read.
	groups map[string][]gitlab.Hook
	seen   map[int64]surgical.HookCheck
}

// watchHooks checks the hooks of all projects every [surgical.HookCheckInterval], and
// reads the log of their deliveries as often as projects are reconciled, for a share of
// the invocation's time. What that leaves, and what fails, is due again with the next
// one.
func (c *Crawler) watchHooks(ctx context.Context, report *Report) error {
	if report.spared {
		return nil
	}
	w := watch{Crawler: c, report: report, now: c.Clock(), groups: map[string][]gitlab.Hook{}, seen: map[int64]surgical.HookCheck{}}
	share, cancel := context.WithTimeout(ctx, surgical.HooksShare)
	defer cancel()
	err := w.all(share)
	if share.Err() != nil && ctx.Err() == nil {
		c.Log.WarnContext(ctx, "hooks_unchecked", "error", "their share of the time is up")
		return nil
	}
	return err
}

// all visits the projects whose hook or log is due. GitLab's failures end that, once
// there are several.
func (w *watch) all(ctx context.Context) error {
	var due []surgical.Project
	for project, err := range w.Ledger.Projects(ctx) {
		if err != nil {
			return err
		}
		// A pass finds out the path first.
		if project.Path != "" && w.Allows(project.ID) && (w.checkDue(project.Hook) || w.logDue(project.Hook)) {
			due = append(due, project)
		}
	}
	// In any fixed order, the same projects would always come last, behind those whose
	// requests fail.
	rand.New(rand.NewPCG(uint64(w.now.UnixMicro()), 0)).Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	failures := 0
	for _, project := range due {
		if w.report.spared || !enough(ctx, surgical.HooksReserve) {
			return nil
		}
		err := w.visit(ctx, project)
		if err == nil {
			continue
		}
		if failures++; failures >= maxHookFailures || !fromGitLab(err) || ctx.Err() != nil || forAll(err) {
			return w.interrupted(ctx, project, err)
		}
	}
	return nil
}

func (w *watch) checkDue(known surgical.HookCheck) bool {
	return !w.now.Before(known.CheckedAt.Add(surgical.HookCheckInterval))
}

func (w *watch) logDue(known surgical.HookCheck) bool {
	return known.State == surgical.HookWorking && known.NoLog == "" && !w.now.Before(known.ReadAt.Add(w.Interval))
}

// maxHookFailures is how many projects may fail in one invocation.
const maxHookFailures = 3

func fromGitLab(err error) bool { return strings.HasPrefix(string(surgical.CodeOf(err)), "gitlab_") }

// forAll reports whether GitLab refused the token, or more requests of it.
func forAll(err error) bool {
	code := surgical.CodeOf(err)
	return code == surgical.CodeGitLabRateLimited || code == surgical.CodeGitLabUnauthorized
}

// interrupted records why GitLab did not answer. It is not a failure of the crawl:
// hooks are looked at again.
func (w *watch) interrupted(ctx context.Context, project surgical.Project, err error) error {
	why := surgical.AsError(err)
	if ctx.Err() != nil || !fromGitLab(err) {
		return err
	}
	w.Log.WarnContext(ctx, "hooks_unchecked", "project_id", project.ID, "code", string(why.Code), "error", why.Error())
	if forAll(err) {
		return w.Ledger.SetPause(ctx, w.now.Add(delay(1, why)), why.PauseReason())
	}
	return nil
}

func (w *watch) visit(ctx context.Context, project surgical.Project) error {
	if w.checkDue(project.Hook) {
		return w.check(ctx, project)
	}
	next := project.Hook
	_, _, err := w.deliveries(ctx, project, &next)
	switch {
	case refuses(err):
		return w.check(ctx, project) // the hook is gone
	case err != nil || next == project.Hook:
		return err
	}
	return w.Ledger.CheckHook(ctx, project.ID, next)
}

// check looks for the hook that delivers the project's events, and records what it
// found.
func (w *watch) check(ctx context.Context, project surgical.Project) error {
	known := project.Hook
	next, err := w.find(ctx, project)
	if err != nil {
		return err
	}
	next.CheckedAt, next.NoLog = w.now, known.NoLog
	if next.ID == known.ID {
		next.LastDelivery, next.ReadAt = known.LastDelivery, known.ReadAt
	}
	if next.ID != 0 {
		hook := next.hook
		events, read, err := w.deliveries(ctx, project, &next.HookCheck)
		switch {
		case err != nil && !refuses(err):
			return err
		case next.State == surgical.HookDisabled:
			next.Reason += lastFailure(events)
		case read && next.State == surgical.HookWorking:
			if silent := hook.Silent(events, w.newest(ctx, project), w.now); silent != "" {
				next.State, next.Reason = surgical.HookSilent, silent
			}
		}
	}
	if next.State != surgical.HookWorking && next.State != surgical.HookUnreadable {
		next.Findings = known.Findings + 1
	}
	if err := w.Ledger.CheckHook(ctx, project.ID, next.HookCheck); err != nil {
		return err
	}
	if next.Findings > 0 || next.State != known.State {
		w.Log.InfoContext(ctx, "hook_checked", "project_id", project.ID, "hook_state", string(next.State), "reason", next.Reason, "findings", next.Findings)
	}
	if next.Findings > 1 {
		w.Meter.HookBroken()
	}
	return nil
}

// found is the result of a check with the hook that it is about.
type found struct {
	surgical.HookCheck
	hook gitlab.Hook
}

// find judges the hooks of the project and of the groups above it. One that works is
// enough. The path tells Lorehook's hooks from others: its host may be a domain of the
// operator's.
func (w *watch) find(ctx context.Context, project surgical.Project) (found, error) {
	result := found{HookCheck: surgical.HookCheck{State: surgical.HookMissing, Reason: "neither the project nor a group above it has a hook for Lorehook"}}
	own, readable, err := w.hooksOf(ctx, gitlab.Owner{Project: project.ID})
	if err != nil {
		return found{}, err
	}
	if !readable {
		result.State = surgical.HookUnreadable
		result.Reason = "the token may not read the project's hooks; that needs the Maintainer role"
	}
	result = result.better(own, "")
	for group := project.Path; result.State != surgical.HookWorking; {
		var above bool
		if group, above = parent(group); !above {
			break
		}
		hooks, read := w.groups[group]
		if !read {
			if hooks, _, err = w.hooksOf(ctx, gitlab.Owner{Group: group}); err != nil {
				return found{}, err
			}
			w.groups[group] = hooks
		}
		result = result.better(hooks, group)
	}
	return result, nil
}

// parent returns the path of the group that a project or group is in.
func parent(path string) (string, bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", false
	}
	return path[:i], true
}

// better returns what a hook of the owner says, if that is better than what was found
// so far: any hook is better than none, and one that works is the best.
func (f found) better(hooks []gitlab.Hook, group string) found {
	for _, h := range hooks {
		if !h.Reaches(delivery.Path) {
			continue
		}
		state, reason := surgical.HookWorking, strings.Join(h.Findings(), "; ")
		switch {
		case h.Disabled():
			state = surgical.HookDisabled
		case reason != "":
			state = surgical.HookMissing
			reason = fmt.Sprintf("hook %d is not for all events that are needed, or not safe: %s", h.ID, reason)
		}
		if f.ID == 0 || state == surgical.HookWorking && f.State != state {
			f = found{surgical.HookCheck{State: state, ID: h.ID, Group: group, Signed: h.SigningToken, Reason: reason}, h}
		}
	}
	return f
}

// hooksOf reads the hooks of an owner; readable is false if the token may not, or if
// this GitLab has no hooks for groups.
func (w *watch) hooksOf(ctx context.Context, owner gitlab.Owner) (hooks []gitlab.Hook, readable bool, err error) {
	for cursor := ""; ; {
		page, err := w.GitLab.Hooks(ctx, owner, cursor)
		if refuses(err) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if err := w.spare(ctx, page.RateLimit, w.report); err != nil {
			return nil, false, err
		}
		hooks = append(hooks, page.Hooks...)
		if cursor = page.Next; cursor == "" {
			return hooks, true, nil
		}
	}
}

// newest is the time of the newest change that a list of the project has shown; zero
// without one.
func (w *watch) newest(ctx context.Context, project surgical.Project) time.Time {
	pass, err := w.Ledger.Pass(ctx, project.ID, surgical.PassReconcile)
	if err != nil {
		return time.Time{} // without it, no hook is called silent
	}
	var newest time.Time
	for _, leg := range pass.Legs {
		if newest = later(newest, leg.Newest); newest.After(w.now) {
			return time.Time{} // a date in the future says nothing
		}
	}
	return newest
}

// lastFailure is how the newest delivery failed, as the end of a sentence.
func lastFailure(events []gitlab.HookEvent) string {
	switch {
	case len(events) == 0 || !events[0].Failed():
		return ""
	case events[0].Status == 0:
		return "; the last delivery got no response"
	default:
		return fmt.Sprintf("; the last delivery was answered with %d", events[0].Status)
	}
}
