package crawl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/projects"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

// watch looks after the hooks of one invocation.
type watch struct {
	*Crawler
	report *Report
	now    time.Time
	// groups are the hooks of groups that were looked at; seen are the hooks whose log
	// was, with how far it was read.
	groups map[string]hooks
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
	w := watch{Crawler: c, report: report, now: c.Clock(), groups: map[string]hooks{}, seen: map[int64]surgical.HookCheck{}}
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
		next.LastDelivery, next.ReadAt, next.Unread, next.UnreadTo = known.LastDelivery, known.ReadAt, known.Unread, known.UnreadTo
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
// operator's. If no hook was found, but one may be among those that the token may not
// read, the result is unreadable.
func (w *watch) find(ctx context.Context, project surgical.Project) (found, error) {
	own, err := w.hooksOf(ctx, gitlab.Owner{Project: project.ID})
	if err != nil {
		return found{}, err
	}
	result := found{HookCheck: surgical.HookCheck{State: surgical.HookMissing, Reason: "neither the project nor a group above it has a hook for Lorehook"}}
	if own.refused {
		result = unreadable("the token may not read the project's hooks; that needs the Maintainer role")
	}
	if result = result.better(own.list, ""); result.State == surgical.HookWorking {
		return result, nil
	}
	path, err := w.path(ctx, project)
	if err != nil {
		return found{}, err
	}
	for group, above := parent(path); above && result.State != surgical.HookWorking; group, above = parent(group) {
		theirs, read := w.groups[group]
		if !read {
			if theirs, err = w.hooksOf(ctx, gitlab.Owner{Group: group}); err != nil {
				return found{}, err
			}
			w.groups[group] = theirs
		}
		if theirs.forbidden && result.ID == 0 && result.State == surgical.HookMissing {
			result = unreadable("the token may not read the hooks of the group " + group + ", and no other hook was found; that needs the Owner role in the group")
		}
		result = result.better(theirs.list, group)
	}
	return result, nil
}

func unreadable(why string) found {
	return found{HookCheck: surgical.HookCheck{State: surgical.HookUnreadable, Reason: why}}
}

// path returns the project's path as GitLab shows it now, and records it: a transferred
// project is below other groups, and nothing may have been fetched of it since.
func (w *watch) path(ctx context.Context, project surgical.Project) (string, error) {
	if w.now.Before(project.PathAt.Add(surgical.HookCheckInterval)) {
		return project.Path, nil
	}
	at := w.Clock()
	seen, answer, err := w.GitLab.Project(ctx, strconv.FormatInt(project.ID, 10))
	if refuses(err) {
		return project.Path, nil // the passes record that
	}
	if err != nil {
		return "", err
	}
	if err := w.watch().Record(ctx, project, projects.Answer{Path: seen.Path, AskedAt: at}); err != nil {
		return "", err
	}
	return seen.Path, w.spare(ctx, answer.RateLimit, w.report)
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

// hooks are those of an owner. refused: the token may not read them, or there is nothing
// to read. forbidden: it may not read them; of a group, a 404 means that this GitLab has
// no hooks for groups, or that the path is a user's.
type hooks struct {
	list               []gitlab.Hook
	refused, forbidden bool
}

// hooksOf reads the hooks of an owner.
func (w *watch) hooksOf(ctx context.Context, owner gitlab.Owner) (all hooks, err error) {
	for cursor := ""; ; {
		page, err := w.GitLab.Hooks(ctx, owner, cursor)
		if refuses(err) {
			return hooks{refused: true, forbidden: surgical.CodeOf(err) == surgical.CodeGitLabForbidden}, nil
		}
		if err != nil {
			return hooks{}, err
		}
		if err := w.spare(ctx, page.RateLimit, w.report); err != nil {
			return hooks{}, err
		}
		all.list = append(all.list, page.Hooks...)
		if cursor = page.Next; cursor == "" {
			return all, nil
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
