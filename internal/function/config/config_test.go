package config_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// setenv makes the environment hold these settings of Lorehook only.
func setenv(t *testing.T, settings map[string]string) {
	t.Helper()
	for _, setting := range os.Environ() {
		name, _, _ := strings.Cut(setting, "=")
		if strings.HasPrefix(name, "LOREHOOK_") || strings.HasPrefix(name, "GITLAB_") {
			t.Setenv(name, "") // restores it afterwards
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range settings {
		t.Setenv(name, value)
	}
}

func tables() map[string]string {
	return map[string]string{
		"LOREHOOK_TABLE_CONTENT": "c", "LOREHOOK_TABLE_SYNC_RUNS": "r", "LOREHOOK_TABLE_SYNC_RUN_ENTITIES": "e",
		"LOREHOOK_TABLE_DIRTY_SOURCES": "d", "LOREHOOK_TABLE_DEPENDENT_QUEUE": "q", "LOREHOOK_TABLE_STATE": "s", "LOREHOOK_TABLE_PROJECTS": "p", "LOREHOOK_TABLE_FEED": "f",
	}
}

func worker(changes map[string]string) map[string]string {
	settings := tables()
	for name, value := range map[string]string{
		"LOREHOOK_REQUESTS_QUEUE_URL": "requests", "LOREHOOK_HIDES_QUEUE_URL": "hides", "LOREHOOK_BULK_QUEUE_URL": "bulk", "LOREHOOK_DEAD_LETTER_QUEUE_URL": "dead",
		"LOREHOOK_STATE_MACHINE_ARN": "machine", "GITLAB_BASE_URL": "https://gitlab.com", "LOREHOOK_GITLAB_TOKEN_SECRET_ID": "secret",
		"LOREHOOK_PROJECTS": "*",
	} {
		settings[name] = value
	}
	for name, value := range changes {
		settings[name] = value
	}
	return settings
}

func TestLoadHasDefaults(t *testing.T) {
	setenv(t, worker(nil))
	got, err := config.Load[config.Worker]()
	want := config.Worker{
		Telemetry: config.Telemetry{LogLevel: slog.LevelInfo, MetricsNamespace: "lorehook"},
		Tables:    config.Tables{Content: "c", SyncRuns: "r", SyncRunEntities: "e", DirtySources: "d", DependentQueue: "q", State: "s", Projects: "p", Feed: "f"},
		GitLab:    config.GitLab{BaseURL: "https://gitlab.com", TokenSecretID: "secret", RequestsPerSecond: 4},
		Model:     config.Model{EmbedderKind: "lexical"},
		Projects:  all(t), RequestsQueueURL: "requests", HidesQueueURL: "hides", BulkQueueURL: "bulk", DeadLetterQueueURL: "dead", StateMachineARN: "machine",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(config.AllowList{})); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if got.Observability() != want.Telemetry {
		t.Errorf("observability %+v", got.Observability())
	}
}

func all(t *testing.T) (list config.AllowList) {
	t.Helper()
	if err := list.UnmarshalText([]byte("*")); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestLoadReadsEveryKindOfSetting(t *testing.T) {
	setenv(t, map[string]string{
		"LOREHOOK_REQUESTS_QUEUE_URL": "q", "LOREHOOK_HIDES_QUEUE_URL": "h", "LOREHOOK_LOG_LEVEL": "warn", "LOREHOOK_METRICS_NAMESPACE": "team-a", "LOREHOOK_PROJECTS": "7, 8",
		"GITLAB_WEBHOOK_SIGNING_TOKENS": `["whsec_a", "whsec_b"]`, "GITLAB_WEBHOOK_SECRET_TOKENS": "c",
	})
	c, err := config.Load[config.Webhook]()
	if err != nil || c.LogLevel != slog.LevelWarn || c.MetricsNamespace != "team-a" || len(c.SigningTokens) != 2 || c.SecretTokens[0] != "c" ||
		!c.Projects.Allows(7) || !c.Projects.Allows(8) || c.Projects.Allows(9) {
		t.Errorf("%+v, %v", c, err)
	}
}

// Only Lambda knows where it unpacks a function's code.
func TestLoadExpandsThePathOfTheCABundle(t *testing.T) {
	setenv(t, worker(map[string]string{"LOREHOOK_GITLAB_CA_FILE": "${LAMBDA_TASK_ROOT}/ca.pem", "LAMBDA_TASK_ROOT": "/var/task"}))
	if c, err := config.Load[config.Worker](); err != nil || c.CAFile != "/var/task/ca.pem" {
		t.Errorf("%q, %v", c.CAFile, err)
	}
}

func TestLoadReportsAllThatIsWrongAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]string
		load     func() error
		names    []string
	}{
		"nothing is set": {nil, load[config.Sweeper], []string{
			"LOREHOOK_TABLE_CONTENT", "LOREHOOK_TABLE_SYNC_RUNS", "LOREHOOK_TABLE_SYNC_RUN_ENTITIES", "LOREHOOK_TABLE_DIRTY_SOURCES",
			"LOREHOOK_TABLE_DEPENDENT_QUEUE", "LOREHOOK_TABLE_STATE", "LOREHOOK_TABLE_PROJECTS", "LOREHOOK_TABLE_FEED", "LOREHOOK_STATE_MACHINE_ARN", "LOREHOOK_REQUESTS_QUEUE_URL", "LOREHOOK_BULK_QUEUE_URL"}},
		"values of the wrong kind": {map[string]string{"LOREHOOK_REQUESTS_QUEUE_URL": "q", "LOREHOOK_HIDES_QUEUE_URL": "h", "LOREHOOK_LOG_LEVEL": "loud", "LOREHOOK_PROJECTS": "7,x"},
			load[config.Webhook], []string{"LogLevel", `LOREHOOK_PROJECTS must hold project ids or *, got "x"`}},
		"no projects": {worker(map[string]string{"LOREHOOK_PROJECTS": ""}), load[config.Worker], []string{"LOREHOOK_PROJECTS"}},
		"http":        {worker(map[string]string{"GITLAB_BASE_URL": "http://gitlab.example.com"}), load[config.Worker], []string{"GITLAB_BASE_URL must be an https URL"}},
		"what types cannot say": {worker(map[string]string{"GITLAB_BASE_URL": "https://user:pw@gitlab.com", "LOREHOOK_GITLAB_TOKEN_SECRET_ID": "", "LOREHOOK_GITLAB_REQUESTS_PER_SECOND": "0"}),
			load[config.Worker], []string{"GITLAB_BASE_URL must be", "GITLAB_TOKEN or LOREHOOK_GITLAB_TOKEN_SECRET_ID", "LOREHOOK_GITLAB_REQUESTS_PER_SECOND must be positive, got 0"}},
		"what types cannot say of the crawler": {worker(map[string]string{"LOREHOOK_RECONCILE_MINUTES": "0", "LOREHOOK_CENSUS_DAYS": "-1", "LOREHOOK_PROJECT_HIDE_AFTER_HOURS": "0", "GITLAB_BASE_URL": "http://gitlab.example.com"}),
			load[config.Crawler], []string{"LOREHOOK_RECONCILE_MINUTES must be positive, got 0", "LOREHOOK_CENSUS_DAYS must not be negative, got -1",
				"LOREHOOK_PROJECT_HIDE_AFTER_HOURS must be positive, got 0", "GITLAB_BASE_URL must be an https URL"}},
		"a token that nobody can have meant": {worker(map[string]string{"GITLAB_TOKEN": "<token>"}), load[config.Worker], []string{"GITLAB_TOKEN:"}},
	} {
		setenv(t, c.settings)
		err := c.load()
		if err == nil {
			t.Errorf("%s: nothing is reported", name)
			continue
		}
		for _, want := range c.names {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not name %s", name, err, want)
			}
		}
		if strings.Contains(err.Error(), "pw@") {
			t.Errorf("%s: %v quotes a password", name, err)
		}
	}
}

func TestLoadOfTheCrawlerHasDefaultsAndCanDoWithoutCensus(t *testing.T) {
	setenv(t, worker(map[string]string{"LOREHOOK_CENSUS_DAYS": "0"}))
	c, err := config.Load[config.Crawler]()
	if err != nil || c.ReconcileInterval() != surgical.ReconcileInterval || c.CensusDays != 0 || c.ProjectHideAfterHours != 24 {
		t.Errorf("%+v, %v", c, err)
	}
}

func load[T any]() error {
	_, err := config.Load[T]()
	return err
}

func TestAllowListTakesIdsOrAll(t *testing.T) {
	for text, c := range map[string]struct {
		allows, refuses []int64
		fails           bool
	}{
		"*":      {allows: []int64{1, 99}},
		"7":      {allows: []int64{7}, refuses: []int64{0, 1, 70}},
		" 7 ,8 ": {allows: []int64{7, 8}, refuses: []int64{9}},
		"7,*":    {allows: []int64{1}},
		"":       {fails: true}, "x": {fails: true}, "0": {fails: true}, "-7": {fails: true}, "7,": {fails: true}, "99999999999999999999": {fails: true},
	} {
		var list config.AllowList
		if err := list.UnmarshalText([]byte(text)); (err != nil) != c.fails {
			t.Errorf("%q: error %v", text, err)
		}
		if all := strings.Contains(text, "*"); list.All() != all || !all && !c.fails && len(list.IDs()) != len(c.allows) {
			t.Errorf("%q is for all: %v, or names %v", text, list.All(), list.IDs())
		}
		for _, id := range c.allows {
			if !list.Allows(id) {
				t.Errorf("%q does not allow %d", text, id)
			}
		}
		for _, id := range c.refuses {
			if list.Allows(id) {
				t.Errorf("%q allows %d", text, id)
			}
		}
	}
}
