// Package config reads the configuration of each function from the environment,
// which on AWS is set by the stack. Secrets are stored in Secrets Manager; the
// environment only holds their ids. A value set directly (such as GITLAB_TOKEN)
// takes precedence, for tools and tests.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/token"
)

// Telemetry configures the logs and metrics of every function.
type Telemetry struct {
	// LogLevel is the lowest level that is logged. It does not affect metrics.
	LogLevel slog.Level `env:"LOREHOOK_LOG_LEVEL" envDefault:"INFO"`
	// MetricsNamespace keeps the metrics of two stacks in one account apart.
	MetricsNamespace string `env:"LOREHOOK_METRICS_NAMESPACE" envDefault:"lorehook"`
}

// Observability returns t. Every configuration embeds a Telemetry.
func (t Telemetry) Observability() Telemetry { return t }

// Tables are the real names of the tables.
type Tables struct {
	Content         string `env:"LOREHOOK_TABLE_CONTENT,required"`
	SyncRuns        string `env:"LOREHOOK_TABLE_SYNC_RUNS,required"`
	SyncRunEntities string `env:"LOREHOOK_TABLE_SYNC_RUN_ENTITIES,required"`
	DirtySources    string `env:"LOREHOOK_TABLE_DIRTY_SOURCES,required"`
	DependentQueue  string `env:"LOREHOOK_TABLE_DEPENDENT_QUEUE,required"`
	State           string `env:"LOREHOOK_TABLE_STATE,required"`
	Projects        string `env:"LOREHOOK_TABLE_PROJECTS,required"`
	Feed            string `env:"LOREHOOK_TABLE_FEED,required"`
}

// Webhook is the configuration of the webhook function.
type Webhook struct {
	Telemetry
	RequestsQueueURL string    `env:"LOREHOOK_REQUESTS_QUEUE_URL,required"`
	HidesQueueURL    string    `env:"LOREHOOK_HIDES_QUEUE_URL,required"`
	Projects         AllowList `env:"LOREHOOK_PROJECTS,notEmpty"`
	// SecretID is the id of the secret that holds
	// {"signing_tokens":["whsec_…"],"secret_tokens":["…"]}.
	SecretID      string     `env:"LOREHOOK_WEBHOOK_SECRET_ID"`
	SigningTokens token.List `env:"GITLAB_WEBHOOK_SIGNING_TOKENS"`
	SecretTokens  token.List `env:"GITLAB_WEBHOOK_SECRET_TOKENS"`
}

// GitLab configures where GitLab is and how fast to send requests.
type GitLab struct {
	BaseURL string `env:"GITLAB_BASE_URL,required"`
	Token   string `env:"GITLAB_TOKEN"`
	// TokenSecretID is the id of the secret whose text is the token.
	TokenSecretID string `env:"LOREHOOK_GITLAB_TOKEN_SECRET_ID"`
	// RequestsPerSecond is the rate of this worker only. Multiplied by the maximum
	// concurrency of the event source mappings, it is the share of GitLab's budget.
	RequestsPerSecond float64 `env:"LOREHOOK_GITLAB_REQUESTS_PER_SECOND" envDefault:"4"`
	// CAFile is a PEM file with the private authorities that may have signed
	// GitLab's certificate. References to other variables are expanded.
	CAFile string `env:"LOREHOOK_GITLAB_CA_FILE,expand"`
}

// Worker is the configuration of the worker function.
type Worker struct {
	Telemetry
	Tables
	GitLab
	Model
	Projects           AllowList `env:"LOREHOOK_PROJECTS,notEmpty"`
	RequestsQueueURL   string    `env:"LOREHOOK_REQUESTS_QUEUE_URL,required"`
	HidesQueueURL      string    `env:"LOREHOOK_HIDES_QUEUE_URL,required"`
	BulkQueueURL       string    `env:"LOREHOOK_BULK_QUEUE_URL,required"`
	DeadLetterQueueURL string    `env:"LOREHOOK_DEAD_LETTER_QUEUE_URL,required"`
	StateMachineARN    string    `env:"LOREHOOK_STATE_MACHINE_ARN,required"`
}

// Model says which model embeds, for functions that do not embed themselves.
type Model struct {
	EmbedderKind  string `env:"LOREHOOK_EMBEDDER" envDefault:"lexical"`
	EmbedderModel string `env:"LOREHOOK_EMBEDDER_MODEL"`
}

// Embedder configures the embedder.
type Embedder struct {
	// Kind is bedrock, openai, minilm or lexical.
	Kind string `env:"LOREHOOK_EMBEDDER" envDefault:"lexical"`
	// Dir has the files of the model that runs in the function, with minilm.
	Dir string `env:"LOREHOOK_EMBEDDER_DIR"`
	// URL is the base URL of an OpenAI-compatible endpoint, up to and including /v1.
	URL   string `env:"LOREHOOK_EMBEDDER_URL"`
	Model string `env:"LOREHOOK_EMBEDDER_MODEL"`
	// APIKey is sent to the OpenAI-compatible endpoint as a bearer token.
	APIKey string `env:"LOREHOOK_EMBEDDER_API_KEY"`
	// APIKeySecretID is the id of the secret whose text is the API key.
	APIKeySecretID string `env:"LOREHOOK_EMBEDDER_API_KEY_SECRET_ID"`
	// Concurrency is how many requests to Bedrock one invocation has in flight.
	Concurrency int `env:"LOREHOOK_EMBEDDER_CONCURRENCY" envDefault:"2"`
}

// Workflow is the configuration of finish and abort, and part of that of docs and embed.
type Workflow struct {
	Telemetry
	Tables
	StateMachineARN string `env:"LOREHOOK_STATE_MACHINE_ARN"`
}

// Stage is the configuration of the docs and embed functions.
type Stage struct {
	Workflow
	Embedder
}

// Sweeper is the configuration of the sweeper.
type Sweeper struct {
	Telemetry
	Tables
	StateMachineARN  string    `env:"LOREHOOK_STATE_MACHINE_ARN,required"`
	Projects         AllowList `env:"LOREHOOK_PROJECTS,notEmpty"`
	RequestsQueueURL string    `env:"LOREHOOK_REQUESTS_QUEUE_URL,required"`
	BulkQueueURL     string    `env:"LOREHOOK_BULK_QUEUE_URL,required"`
}

// Crawler is the configuration of the crawler.
type Crawler struct {
	Telemetry
	Tables
	GitLab
	Projects      AllowList `env:"LOREHOOK_PROJECTS,notEmpty"`
	HidesQueueURL string    `env:"LOREHOOK_HIDES_QUEUE_URL,required"`
	BulkQueueURL  string    `env:"LOREHOOK_BULK_QUEUE_URL,required"`
	Reconciles
	// CensusDays is within how many days every copy is fetched again; 0 means never.
	CensusDays int `env:"LOREHOOK_CENSUS_DAYS" envDefault:"7"`
	// ProjectHideAfterHours is how long GitLab must refuse to show a project before its
	// copies are hidden.
	ProjectHideAfterHours int `env:"LOREHOOK_PROJECT_HIDE_AFTER_HOURS" envDefault:"24"`
}

// Validate implements what [Load] checks.
func (c Crawler) Validate() error {
	err := errors.Join(c.GitLab.Validate(), c.Reconciles.Validate())
	if c.CensusDays < 0 {
		err = errors.Join(err, fmt.Errorf("LOREHOOK_CENSUS_DAYS must not be negative, got %d", c.CensusDays))
	}
	if c.ProjectHideAfterHours <= 0 {
		err = errors.Join(err, fmt.Errorf("LOREHOOK_PROJECT_HIDE_AFTER_HOURS must be positive, got %d", c.ProjectHideAfterHours))
	}
	return err
}

// Reconciles says how often projects are compared with GitLab's lists.
type Reconciles struct {
	// ReconcileMinutes is the time from one reconcile of a project to the next.
	ReconcileMinutes int `env:"LOREHOOK_RECONCILE_MINUTES" envDefault:"5"`
}

// ReconcileInterval is the time from one reconcile of a project to the next.
func (r Reconciles) ReconcileInterval() time.Duration {
	return time.Duration(r.ReconcileMinutes) * time.Minute
}

// Validate implements what [Load] checks.
func (r Reconciles) Validate() error {
	if r.ReconcileMinutes <= 0 {
		return fmt.Errorf("LOREHOOK_RECONCILE_MINUTES must be positive, got %d", r.ReconcileMinutes)
	}
	return nil
}

// API is the configuration of the manual API.
type API struct {
	Telemetry
	Tables
	Projects         AllowList `env:"LOREHOOK_PROJECTS,notEmpty"`
	RequestsQueueURL string    `env:"LOREHOOK_REQUESTS_QUEUE_URL,required"`
	// The status says how many messages these have.
	HidesQueueURL        string `env:"LOREHOOK_HIDES_QUEUE_URL,required"`
	BulkQueueURL         string `env:"LOREHOOK_BULK_QUEUE_URL,required"`
	DeadLetterQueueURL   string `env:"LOREHOOK_DEAD_LETTER_QUEUE_URL,required"`
	FeedFailuresQueueURL string `env:"LOREHOOK_FEED_FAILURES_QUEUE_URL,required"`
	// CrawlerFunction is the name of the crawler, which requests for passes start.
	CrawlerFunction string `env:"LOREHOOK_CRAWLER_FUNCTION,required"`
	Reconciles
	Readers
	// SearchFunction and IndexerFunction are the names of the functions that answer
	// queries, and that requests to rebuild the index start.
	SearchFunction  string `env:"LOREHOOK_SEARCH_FUNCTION,required"`
	IndexerFunction string `env:"LOREHOOK_INDEXER_FUNCTION,required"`
}

// Index configures the search index.
type Index struct {
	// Bucket holds its objects.
	Bucket string `env:"LOREHOOK_INDEX_BUCKET,required"`
	// Language is that of the texts.
	Language string `env:"LOREHOOK_SEARCH_LANGUAGE" envDefault:"en"`
	// OpenSearchEndpoint is the URL of the cluster that has the index, and
	// OpenSearchIndex what the names of its indexes begin with. Without an endpoint, the
	// index is in the bucket.
	OpenSearchEndpoint string `env:"LOREHOOK_OPENSEARCH_ENDPOINT"`
	OpenSearchIndex    string `env:"LOREHOOK_OPENSEARCH_INDEX"`
}

// Search is the configuration of the functions that have a copy of the index: search and
// builder.
type Search struct {
	Telemetry
	Tables
	Embedder
	Index
	Readers
}

// Indexer is the configuration of the indexer.
type Indexer struct {
	Search
	// BuilderFunction is the name of the builder, which rebuilds and compacts the index.
	BuilderFunction string `env:"LOREHOOK_BUILDER_FUNCTION,required"`
}

// Readers configures everything that shows content.
type Readers struct {
	// Confidential says whether confidential issues and internal notes are shown.
	Confidential surgical.Policy `env:"LOREHOOK_CONFIDENTIAL" envDefault:"exclude"`
}

// Feed is the configuration of the feed function.
type Feed struct {
	Telemetry
	Tables
	// IndexerFunction is the name of the indexer, which changes of documents start.
	IndexerFunction string `env:"LOREHOOK_INDEXER_FUNCTION,required"`
}

// Widget is the configuration of the widget function.
type Widget struct {
	Telemetry
	Tables
	Projects AllowList `env:"LOREHOOK_PROJECTS,notEmpty"`
}

// Load reads T from the environment. Its error reports everything that is wrong
// at once.
func Load[T any]() (T, error) {
	c, err := env.ParseAs[T]()
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	if v, ok := any(&c).(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return c, fmt.Errorf("configuration: %w", err)
		}
	}
	return c, nil
}

// Validate checks what the types of the fields cannot express.
func (g GitLab) Validate() error {
	var errs []error
	if u, err := baseurl.Parse(g.BaseURL); err != nil {
		errs = append(errs, fmt.Errorf("GITLAB_BASE_URL %w", err))
	} else if !baseurl.Secure(u) {
		errs = append(errs, errors.New("GITLAB_BASE_URL must be "+baseurl.SecureRule))
	}
	if g.Token != "" {
		if _, err := token.Access(g.Token); err != nil {
			errs = append(errs, fmt.Errorf("GITLAB_TOKEN: %w", err))
		}
	}
	if g.Token == "" && g.TokenSecretID == "" {
		errs = append(errs, errors.New("GITLAB_TOKEN or LOREHOOK_GITLAB_TOKEN_SECRET_ID must be set"))
	}
	if g.RequestsPerSecond <= 0 {
		errs = append(errs, fmt.Errorf("LOREHOOK_GITLAB_REQUESTS_PER_SECOND must be positive, got %v", g.RequestsPerSecond))
	}
	return errors.Join(errs...)
}

// AllowList is the projects whose entities are kept: a list of ids, or all.
type AllowList struct {
	all bool
	ids []int64
}

// UnmarshalText reads "*" or comma-separated project ids.
func (a *AllowList) UnmarshalText(text []byte) error {
	*a = AllowList{}
	for field := range strings.SplitSeq(string(text), ",") {
		field = strings.TrimSpace(field)
		if field == "*" {
			a.all = true
			continue
		}
		id, err := strconv.ParseInt(field, 10, 64)
		if err != nil || id <= 0 {
			return fmt.Errorf("LOREHOOK_PROJECTS must hold project ids or *, got %q", field)
		}
		a.ids = append(a.ids, id)
	}
	return nil
}

// IDs are the project ids that the list names.
func (a AllowList) IDs() []int64 { return slices.Clone(a.ids) }

// All reports whether the list allows every project.
func (a AllowList) All() bool { return a.all }

// Allows reports whether the project's entities are kept.
func (a AllowList) Allows(projectID int64) bool { return a.all || slices.Contains(a.ids, projectID) }
