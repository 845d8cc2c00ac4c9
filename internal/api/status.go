package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/parallel"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// What one status reads at most.
const (
	maxStatusProjects  = 500
	maxStatusRuns      = 500
	maxStatusAttention = 20
)

// StatusView is the state of a whole stack.
type StatusView struct {
	At       time.Time     `json:"read_at" doc:"When it was read."`
	Version  string        `json:"version" example:"0.1.0" doc:"Version of Lorehook that answers."`
	Projects ProjectsState `json:"projects" doc:"How complete the copies are, and whether webhooks arrive."`
	Runs     RunsState     `json:"runs" doc:"How many runs there are."`
	Queues   []QueueState  `json:"queues" nullable:"false" doc:"The queues, from SQS, which counts roughly."`
	GitLab   GitLabState   `json:"gitlab" doc:"What GitLab allows."`
	Index    IndexView     `json:"index" doc:"The search index."`
}

// RunsState counts runs.
type RunsState struct {
	Queued  CountView `json:"queued" doc:"Runs that wait for a worker."`
	Running CountView `json:"running" doc:"Runs that are under way, or wait for GitLab."`
	Failed  CountView `json:"failed" doc:"Runs of the last 24 hours that failed, including those that were retried."`
}

// CountView is a number that is not counted to its end.
type CountView struct {
	Count int  `json:"count" doc:"How many there are, up to 500."`
	More  bool `json:"more" doc:"Whether there are more."`
}

// QueueState is how many messages a queue has.
type QueueState struct {
	Name     string `json:"name" enum:"requests,hides,bulk,dead-letters,feed-failures" doc:"requests: the runs of webhooks and requests. hides: copies to hide at once. bulk: the runs of passes. dead-letters: messages that were given up. feed-failures: changes that the change feed was not told of."`
	Waiting  int    `json:"waiting" doc:"Messages that wait."`
	Received int    `json:"received" doc:"Messages that are being processed, or are hidden until a later time."`
	Error    string `json:"error,omitempty" doc:"Why they could not be counted; both numbers are 0 then."`
}

// GitLabState is what is known of GitLab.
type GitLabState struct {
	AnsweredAt      time.Time      `json:"answered_at,omitzero" doc:"When GitLab last accepted the token of the crawler; absent if it never did."`
	RateLimit       *RateLimitView `json:"rate_limit,omitempty" doc:"What that answer said about the budget of requests; absent if it said nothing."`
	PassesWaitUntil time.Time      `json:"passes_wait_until,omitzero" doc:"Until when reconciles, backfills and censuses leave the rest of the budget to webhooks; absent if they need not."`
	Pause           *PauseView     `json:"pause,omitempty" doc:"Why nothing is sent to GitLab; absent if nothing pauses."`
}

// RateLimitView is GitLab's budget of requests.
type RateLimitView struct {
	Limit     int64     `json:"limit" example:"2000" doc:"Requests in GitLab's interval, which is one minute by default."`
	Remaining int64     `json:"remaining" example:"1984" doc:"How many of them were left."`
	ResetsAt  time.Time `json:"resets_at,omitzero" doc:"When the interval ends, by GitLab's clock."`
}

// PauseView is a pause of all requests to GitLab.
type PauseView struct {
	Until  time.Time       `json:"until" doc:"When it ends."`
	Code   surgical.Code   `json:"code,omitempty" example:"gitlab_rate_limited" doc:"Its cause, for machines; absent if an earlier version set the pause."`
	Action surgical.Action `json:"action,omitempty" example:"retry_after" enum:"fix_request,check_token,grant_access,verify_iid,retry_after,retry_failed,contact_operator" doc:"What to do about it."`
}

func (s *server) addStatus(to *routes) {
	to.add(operationOf(huma.Operation{
		OperationID: "get-status", Method: http.MethodGet, Path: "/v1/status", Tags: []string{"service"},
		Summary: "Read the state of the whole stack",
		Description: "Freshness, completeness, webhooks, runs, queues, GitLab's budget and the search index. " +
			"It sends no request to GitLab, and costs at most 20 calls to DynamoDB and 5 to SQS, whatever is stored: beyond 500 projects, and 500 runs of a status, it does not count on.",
	}), handle(s.status))
}

// status reads everything at once.
func (s *server) status(ctx context.Context, _ *struct{}) (*answer[StatusView], error) {
	view := StatusView{At: s.Clock().UTC(), Version: Version, Queues: make([]QueueState, len(s.Gauges))}
	group, ctx := parallel.WithContext(ctx)
	for i, gauge := range s.Gauges {
		group.Go(func() error {
			view.Queues[i] = s.queueState(ctx, gauge)
			return nil
		})
	}
	group.Go(func() (err error) {
		view.Projects, err = s.projectsState(ctx)
		return err
	})
	group.Go(func() (err error) {
		view.GitLab, err = s.gitlabState(ctx, view.At)
		return err
	})
	group.Go(func() error {
		index, err := s.indexView(ctx)
		if err == nil {
			view.Index = index.Body
		}
		return err
	})
	for status, count := range map[surgical.RunStatus]*CountView{
		surgical.StatusQueued: &view.Runs.Queued, surgical.StatusRunning: &view.Runs.Running, surgical.StatusFailed: &view.Runs.Failed,
	} {
		var made ledger.Span
		if status.Terminal() {
			made.Since = view.At.Add(-24 * time.Hour)
		}
		group.Go(func() (err error) {
			count.Count, count.More, err = s.Runs.Count(ctx, status, made, maxStatusRuns)
			return err
		})
	}
	return &answer[StatusView]{view}, group.Wait()
}

// queueState counts the messages. A queue that cannot be read does not take the rest with it.
func (s *server) queueState(ctx context.Context, g Gauge) QueueState {
	waiting, received, err := g.Depth(ctx)
	if err != nil {
		s.Log.WarnContext(ctx, "queue_unread", "queue", g.Name, "error", err.Error())
		return QueueState{Name: g.Name, Error: "SQS did not say"}
	}
	return QueueState{Name: g.Name, Waiting: waiting, Received: received}
}

func (s *server) gitlabState(ctx context.Context, now time.Time) (GitLabState, error) {
	seen, err := s.Standing.GitLabSeen(ctx)
	if err != nil {
		return GitLabState{}, err
	}
	spare, err := s.Standing.Spare(ctx)
	if err != nil {
		return GitLabState{}, err
	}
	until, why, err := s.Standing.PauseReason(ctx)
	if err != nil {
		return GitLabState{}, err
	}
	view := GitLabState{AnsweredAt: seen.At}
	if l := seen.RateLimit; l.Limit > 0 && l.Remaining >= 0 {
		view.RateLimit = &RateLimitView{l.Limit, l.Remaining, l.Reset}
	}
	if spare.After(now) {
		view.PassesWaitUntil = spare
	}
	if until.After(now) {
		view.Pause = &PauseView{Until: until, Code: why}
		if why != "" {
			view.Pause.Action = surgical.NewError(why, "").Action
		}
	}
	return view, nil
}
