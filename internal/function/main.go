// Package function is the foundation of every Lambda function: [Main] for its
// main package, and one package each for configuration, logs, metrics, traces,
// secrets and the gateway's events.
package function

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/logs"
	"gitlab.com/lorehook/lorehook/internal/function/metrics"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// Config is the configuration of any function: one of package config's types.
type Config interface {
	Observability() config.Telemetry
}

// Env is what a function is built from.
type Env[C Config] struct {
	// Config was read from the environment and is valid.
	Config C
	// AWS configures the clients of the SDK.
	AWS aws.Config
	// Log and Meter write to standard output.
	Log   *slog.Logger
	Meter *metrics.Emitter
}

// SecretFailed reports a reading of a secret that failed, or that found a token which
// cannot be used. err must not quote the secret.
func (e Env[C]) SecretFailed(ctx context.Context, err error) {
	e.Log.ErrorContext(ctx, "secret_failed", "error", err.Error())
	e.Meter.SecretFailed()
}

// Main is the body of a function's main: it loads the configuration, builds the
// handler and serves invocations for as long as the process lives. If either of
// the first two fails, it logs one line and exits with status 1.
func Main[C Config](build func(context.Context, Env[C]) (handler any, err error)) {
	os.Exit(run(context.Background(), build, lambda.Start))
}

// run returns the status to exit with; serve returns in tests only.
func run[C Config](ctx context.Context, build func(context.Context, Env[C]) (any, error), serve func(handler any)) int {
	handler, err := realMain(ctx, build)
	if err != nil {
		logs.Function(slog.LevelError).Error("start", "error", err)
		return 1
	}
	serve(handler)
	return 0
}

func realMain[C Config](ctx context.Context, build func(context.Context, Env[C]) (any, error)) (handler any, err error) {
	c, err := config.Load[C]()
	if err != nil {
		return nil, err
	}
	limitMemory(os.Getenv)
	observability := c.Observability()
	meter := metrics.New(os.Stdout, observability.MetricsNamespace, time.Now)
	handler, err = build(ctx, Env[C]{Config: c, AWS: awsenv.Config(), Log: logs.Function(observability.LogLevel), Meter: meter})
	if err != nil {
		return nil, err
	}
	return timed{lambda.NewHandler(handler), meter.Slow, time.Now}, nil
}

// limitMemory makes the garbage collector work harder before the process reaches
// the function's memory, where Lambda would kill it. GOMEMLIMIT, if set, has
// precedence.
func limitMemory(getenv func(string) string) {
	megabytes, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32)
	if err != nil || megabytes <= 0 || getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(megabytes << 20 / 100 * surgical.GoMemoryPercent)
}
