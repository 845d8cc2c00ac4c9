// Command crawler is the Lambda function that compares GitLab's lists with the copy,
// for backfills, reconciles and censuses.
package main

import (
	"context"
	"crypto/rand"
	"time"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/content"
	"gitlab.com/lorehook/lorehook/internal/crawl"
	"gitlab.com/lorehook/lorehook/internal/duration"
	"gitlab.com/lorehook/lorehook/internal/dynamo"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/gitlabenv"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/function/trace"
	"gitlab.com/lorehook/lorehook/internal/ledger"
	"gitlab.com/lorehook/lorehook/internal/queue"
)

func main() { function.Main(build) }

func build(_ context.Context, env function.Env[config.Crawler]) (any, error) {
	c, db, queues := env.Config, dynamo.New(env.AWS, env.Meter.TableThrottled), awsapi.NewSQS(env.AWS)
	client, err := gitlabenv.NewClient(c.GitLab, env, metrics.Crawling{Emitter: env.Meter})
	if err != nil {
		return nil, err
	}
	crawler := &crawl.Crawler{
		Ledger:  ledger.New(db, c.Tables, time.Now).Metered(env.Meter),
		Content: content.NewStore(db, c.Content, time.Now),
		GitLab:  client, Bulk: queue.NewSender(queues, c.BulkQueueURL), Hides: queue.NewSender(queues, c.HidesQueueURL),
		Allows: c.Projects.Allows, Listed: c.Projects.IDs(), Interval: c.ReconcileInterval(),
		Census:    time.Duration(c.CensusDays) * 24 * time.Hour,
		HideAfter: time.Duration(c.ProjectHideAfterHours) * time.Hour,
		Pause:     duration.Wait,
		Clock:     time.Now, Log: env.Log, Meter: env.Meter, NewTrace: trace.Source(rand.Reader),
	}
	return crawler.Handle, nil
}
